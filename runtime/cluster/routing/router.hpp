#pragma once

#include "runtime/cluster/routing/router_probe.hpp"
#include "runtime/cluster/shard_map.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/elsewhere.hpp"
#include "runtime/ports/transport.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>

namespace rahat::cluster {

/// The router's bounds, with what happens at each.
struct router_limits {
  /// Calls to one peer that wait for its answer. Beyond: `overloaded`.
  std::uint32_t calls_per_peer = 256;
  /// Bytes of their commands. Beyond: `overloaded`, but one call always goes.
  std::size_t bytes_per_peer = 1024 * 1024;
  /// Calls that wait for an owner of their shard. Beyond: `moved`, to be tried again.
  std::size_t waiting = 4'096;
  /// Bytes of their commands. Beyond: the same.
  std::size_t waiting_bytes = 16 * 1024 * 1024;
  /// How long a call waits for an owner at most, tries included. Then: `moved`.
  std::chrono::milliseconds patience{6'000};
  /// A call that was sent away asks again after this, doubling up to the second.
  std::chrono::milliseconds again_first{10};
  std::chrono::milliseconds again_last{160};
  /// Beyond its deadline, before a call to a peer is given up: the peer answers in time itself.
  std::chrono::milliseconds grace{500};
};

/// Live events on their way between nodes. Called from threads of the transport.
class live_relay {
public:
  virtual ~live_relay() = default;
  virtual void peer_follows(const uuid& peer, const wire::Follow& what) = 0;
  virtual void peer_heeds(const uuid& peer, const wire::Heeded& what) = 0;
  virtual void happened_at(const uuid& peer, const wire::Happened& event) = 0;
  virtual void peer_came(const uuid& peer) = 0;
  virtual void peer_gone(const uuid& peer) = 0;
};

/// The way to every entity of the cluster: those of this node directly, those of others over the
/// transport. A call that meets a shard on its way, a peer that dies or one that serves the shard
/// no more is sent again with the same id, until its deadline or the router's patience ends: it is
/// answered, or refused as retryable, never lost. Thread-safe, nothing blocks.
/// Protocol: docs/protocols/routing.md.
class router final : public entities, public elsewhere, public transport::listener {
public:
  struct dependencies {
    uuid self;
    local_entities& here;
    transport& links;
    shard_map& owners;
    const clock& time;
    router_probe& probe;
    /// Calls a function later, on a thread that it may hold for moments only.
    std::function<void(std::chrono::milliseconds, std::function<void()>)> later;
    /// A peer has given up a shard.
    std::function<void(shard_id, std::int64_t epoch)> released;
    router_limits limits = {};
    /// Somebody knows more of the owners than this node, or two contradict each other: the rows
    /// should be read soon. May be empty.
    std::function<void()> read_soon = {};
  };

  explicit router(dependencies d);
  ~router() override;

  /// Refuses what waits and everything that comes.
  void stop();

  /// Set before the first link; may be null.
  void relay(live_relay* live) { live_ = live; }

  /// The owners have changed: calls that wait for a shard of another owner now are sent on their
  /// way.
  void owners_changed();

  /// Lets an entity that was parked try again, wherever it is served. May be lost, like a message:
  /// its owner looks at the list of the parked from time to time.
  void release(const entity_ref& entity);

  /// Calls that wait for an owner, and for a peer's answer.
  std::size_t waiting() const;
  std::size_t under_way() const;

  // -- entities -------------------------------------------------------------------
  void ask(request r, reply_callback done) override;
  void look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
            view_callback done) override;

  // -- elsewhere ------------------------------------------------------------------
  void tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
            const std::string& body) override;
  void acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) override;

  // -- transport::listener ----------------------------------------------------------
  void link_up(const uuid& peer) override;
  void link_down(const uuid& peer) override;
  void received(const uuid& peer, wire::Frame frame) override;

private:
  using time_point = std::chrono::steady_clock::time_point;

  /// A client's question, kept until it has been answered.
  struct call;
  using call_ptr = std::shared_ptr<call>;

  struct sent {
    call_ptr what;
    uuid peer;
    time_point since;
  };

  struct peer_credit {
    std::uint32_t calls = 0;
    std::size_t bytes = 0;
  };

  void start(call_ptr c);
  void route(const call_ptr& c);
  void ask_here(const call_ptr& c);
  void ask_there(const call_ptr& c, const uuid& peer);
  void wait(const call_ptr& c, std::string_view why);
  call_ptr take_sent(std::uint64_t number, const uuid& peer, std::string_view outcome);
  void forget(std::unordered_map<std::uint64_t, sent>::iterator at);
  void reachable_again(const uuid& peer);
  void send_waiting();
  void arm();
  void tick();

  void answer_ask(const uuid& peer, std::uint64_t number, const wire::Ask& ask);
  void answer_look(const uuid& peer, std::uint64_t number, const wire::Look& look);
  void answer(const uuid& peer, wire::Frame frame);
  void refuse_peer(const uuid& peer, std::uint64_t number, shard_id shard, const error& why);
  void say_owner(shard_id shard, wire::Moved& out) const;
  void take_reply(const uuid& peer, std::uint64_t number, wire::Reply& reply);
  void take_view(const uuid& peer, std::uint64_t number, wire::View& seen);
  void take_told(const uuid& peer, const wire::Tell& told);
  void take_moved(const uuid& peer, std::uint64_t number, const wire::Moved& moved);

  dependencies d_;
  live_relay* live_ = nullptr;
  mutable std::mutex mutex_; // guards the rest; never held while anyone is called
  bool stopping_ = false;
  bool armed_ = false;
  std::uint64_t last_number_ = 0;
  std::list<call_ptr> waiting_;
  std::size_t waiting_bytes_ = 0; // of the commands of those
  std::unordered_map<std::uint64_t, sent> sent_;
  std::map<uuid, peer_credit> credits_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  const std::weak_ptr<bool> still_{alive_}; // guards late callbacks; read without the lock
};

} // namespace rahat::cluster
