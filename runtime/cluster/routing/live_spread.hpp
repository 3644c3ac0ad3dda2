#pragma once

#include "runtime/cluster/routing/router.hpp"
#include "runtime/ports/live.hpp"

#include <atomic>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>
#include <vector>

namespace rahat::cluster {

/// The bounds of live events between nodes, with what happens at each.
struct live_limits {
  /// Entities that a `follow` names. Beyond: the feed.
  std::size_t topics = 10'000;
  /// A changed `follow` is sent this much after the former one, and as much again for each thousand
  /// entities that it names.
  std::chrono::milliseconds follow_every{100};
  /// A document that is larger does not travel with its event.
  std::size_t view_bytes = 188 * 1024; // with the rest of its frame it is one message
  /// Shards whose owner cannot tell this node anything are looked up in the journal this often; a
  /// `follow` that was not answered in this time is sent again.
  std::chrono::milliseconds unreached_every{1'000};
};

/// Brings committed events to the nodes where somebody listens. Each node tells its peers what it
/// wants to hear; owners push; whatever may have been missed is read from the journal: nothing has
/// to be handed over when a shard moves or a node dies. Thread-safe, nothing blocks; no lock is
/// held while links or listeners are called. `tick` is called by one thread at a time.
/// Protocol: docs/protocols/routing.md, "Messages and live events".
class live_spread final : public live_relay {
public:
  struct dependencies {
    uuid self;
    transport& links;
    const shard_map& owners;
    const clock& time;
    router_probe& probe;
    live_limits limits = {};
  };

  explicit live_spread(dependencies d) : d_(d) {}

  /// Whoever listens on this node; set once, before the first link.
  void hear(live_listeners& here) { here_ = &here; }

  /// A commit of this node was announced. One atomic read while no peer follows anything.
  void publish(const live_event& event);

  /// Tells what is followed, repairs what may have been missed. At least each 100 ms.
  void tick();

  // -- live_relay, by the router ------------------------------------------------------
  void peer_follows(const uuid& peer, const wire::Follow& what) override;
  void peer_heeds(const uuid& peer, const wire::Heeded& what) override;
  void happened_at(const uuid& peer, const wire::Happened& event) override;
  void peer_came(const uuid& peer) override;
  void peer_gone(const uuid& peer) override;

private:
  using time_point = std::chrono::steady_clock::time_point;
  using shards = std::bitset<shard_count>;

  /// What a peer wants to hear.
  struct wish {
    bool feed = false;
    std::unordered_set<entity_ref> entities;
  };
  using wishes = std::map<uuid, std::shared_ptr<const wish>>;

  /// What became followed: until a peer heeds a follow that names it, its events may be missed.
  struct fresh {
    bool all = false;
    std::vector<entity_ref> entities;
    bool empty() const { return !all && entities.empty(); }
  };

  /// One link to a peer: how far our follow has come, what it has missed of us.
  struct reach {
    std::uint64_t link = 0;   // counts links; 0: none now
    std::uint64_t sent = 0;   // the last follow that it took
    std::uint64_t heeded = 0; // the last that it told us of
    std::uint64_t asked = 0;  // the follow that names `waiting`; 0: none
    time_point asked_at{};
    fresh waiting;
    fresh next; // to be named by a later follow
    shards dropped;

    bool covered() const { return link != 0 && heeded != 0 && !waiting.all && !next.all; }
    bool unanswered(time_point since) const { return asked != 0 && asked_at <= since; }
  };

  void change_wish(const uuid& peer, std::shared_ptr<const wish> now);
  void add(fresh& to, const fresh& more) const;
  void take_topics(time_point now);
  void send_follow(time_point now);
  void tell_dropped();
  void look_at_owners();
  void look_at_unreached(time_point now);
  void read(const shards& which, std::string_view why);
  shards owned_by(const uuid& node) const;

  const dependencies d_;
  live_listeners* here_ = nullptr;
  std::atomic<bool> wanted_{false}; // some peer follows something

  std::mutex mutex_; // guards the rest
  std::shared_ptr<const wishes> wishes_ = std::make_shared<wishes>();
  std::map<uuid, reach> peers_;
  std::uint64_t last_link_ = 0;
  followed_topics followed_;  // as of round_; sorted
  std::uint64_t round_ = 1;   // the number of our follow
  std::uint64_t version_ = 0; // of the topics that it was made of
  time_point next_follow_{};
  time_point next_unreached_{};
  shard_map::snapshot seen_; // the owners that were looked at last
};

} // namespace rahat::cluster
