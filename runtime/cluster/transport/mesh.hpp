#pragma once

#include "runtime/cluster/transport/channels.hpp"
#include "runtime/cluster/transport/in_order.hpp"
#include "runtime/cluster/transport/link.hpp"
#include "runtime/cluster/transport/mesh_probe.hpp"
#include "runtime/cluster/view.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/ports/transport.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rahat::cluster {

/// The mesh's durations and bounds, besides those of a link.
struct mesh_terms {
  using ms = std::chrono::milliseconds;

  /// After a dial that failed or a link that ended; doubling up to the second; a quarter more or
  /// less by chance.
  ms redial_first{200};
  ms redial_last{2'000};

  /// The larger uuid dials too when no link has come for this long.
  ms larger_dials_after{5'000};

  /// A dial of which nothing is heard counts as failed: pre-flight 1 s, connect 3 s, and some.
  ms dial_limit{5'000};

  /// Channels whose other end has not yet proven who it is. Beyond: closed at once.
  std::size_t unproven = 64;
};

/// What an operator sees of one peer.
struct peer_status {
  enum class link_state { none, dialling, proving, up };
  member_id who;
  link_state state = link_state::none;
  std::int64_t since_us = 0; // wall clock
  bool reachable = false;
  std::int64_t rtt_us = 0;     // of the last answered beat
  std::uint64_t bytes_in = 0;  // of this node's life, over all links to it
  std::uint64_t bytes_out = 0; //
  std::size_t unconfirmed = 0; // bytes on their way
  std::size_t waiting = 0;     // bytes behind them
  std::string last_trouble;    // a sentence; empty: none yet
};

std::string_view to_string(peer_status::link_state state);

/// The transport port over channels: a proven link to every member that the view names. It dials
/// whom it should, judges who comes, uses the newer of two links and tells its listener what comes
/// and goes.
///
/// Thread-safe. Callbacks of the channels, sends and `tick` may come at once, from any thread; no
/// lock is held while the channels, the listener or the readings' listener are called. For one peer
/// the listener is called in order and one call at a time; nothing that a link brought is told
/// after its `link_down`. Protocol: docs/protocols/routing.md.
class mesh final : public transport, public channels::listener {
public:
  struct dependencies {
    channels& wires;
    const clock& time;
    random& dice;
    mesh_probe& probe;
    link_self self; // its transport_id is filled in by `start`
    mesh_terms terms = {};
    /// Somebody knows more of the membership than this node: it should read soon. May be empty.
    std::function<void()> read_soon;
  };

  /// Throws std::invalid_argument when proofs are asked for and there is nothing to sign with.
  explicit mesh(dependencies d);
  ~mesh() override;

  /// Begins to listen; the port. Throws what `channels::start` throws. Set the listener before.
  std::uint16_t start();

  /// Ends all links; each that was up is told as down. Neither dials nor accepts from then on.
  void stop();

  /// A newer view; an older one is ignored. `self`: this node's uuid in it.
  void viewed(const view& now, const uuid& self);

  /// Set before `start`. Told at each change and each 0.5 s: `reachable` if a beat of this
  /// node was answered to it within the last 2 s, which takes both directions of the link.
  void on_reading(std::function<void(const member_id&, bool reachable)> listener);

  /// Beats, dials and the ends of patience. Each 25 ms.
  void tick();

  /// By uuid; those that the view names.
  std::vector<peer_status> peers() const;

  // -- transport --------------------------------------------------------------------
  void listen(transport::listener* who) override;
  bool send(const uuid& peer, const wire::Frame& frame) override;
  std::vector<uuid> linked() const override;

  // -- channels::listener -------------------------------------------------------------
  void opened(channels::id channel, const std::string& remote_id, bool dialled) override;
  void received(channels::id channel, std::string bytes) override;
  void closed(channels::id channel, const std::string& why) override;
  void dial_failed(const std::string& host, std::uint16_t port, const std::string& why) override;

private:
  using time_point = std::chrono::steady_clock::time_point;

  /// A channel with its link.
  struct wire_end {
    channels::id id = 0;
    link way;
    bool counted_up = false;
    std::shared_ptr<in_order> out = std::make_shared<in_order>();
  };
  using wire_ptr = std::shared_ptr<wire_end>;

  struct peer {
    member_id who;
    std::string address;
    std::uint16_t port = 0;
    bool wanted = false; // the view names it as alive
    wire_ptr now;        // the link in use, up
    time_point alone_since{};
    std::int64_t changed_us = 0;

    bool dialling = false;
    time_point dialled_at{};
    time_point next_dial{};
    std::chrono::milliseconds redial{0};

    std::optional<bool> told_reachable;
    time_point told_at{};
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::string trouble;
    std::shared_ptr<in_order> in = std::make_shared<in_order>(); // calls of the listeners
  };

  /// What has to be called once the lock is free. What is thrown there is counted: the mesh goes
  /// on.
  struct after {
    explicit after(mesh_probe& p) : probe(p) {}
    ~after();
    mesh_probe& probe;
    std::vector<std::shared_ptr<in_order>> lanes;
    std::vector<std::function<void()>> calls;
  };

  wire_ptr find(channels::id channel) const;
  admission judge(channels::id channel, const member_id& who);
  bool answers_already(const wire_end& dialled) const;
  void settle(const wire_ptr& w, after& then);
  void came_up(const wire_ptr& w, after& then);
  void ended(const wire_ptr& w, after& then);
  void deliver(const wire_ptr& w, link::delivery what, after& then);
  void read_frame(const wire_ptr& w, const uuid& from, const link::delivery& what);
  void tell_reading(peer& p, time_point now, after& then);
  void dial_where_due(time_point now, after& then);
  bool may_dial(const peer& p, time_point now) const;
  void dial_is_over(peer& p, time_point now, const std::string& why);
  void put_off(peer& p, time_point now);
  bool handshaking(const uuid& node) const;
  void drop_former(after& then);
  std::size_t links() const;
  void ask_for_view(after& then);

  dependencies d_;
  transport::listener* listener_ = nullptr;
  std::function<void(const member_id&, bool)> reading_;
  mutable std::mutex mutex_; // guards the rest
  bool running_ = false;
  std::uint64_t last_link_ = 0;
  std::int64_t view_version_ = 0;
  std::int64_t newest_heard_of_ = 0; // view version that some peer goes by
  std::map<channels::id, wire_ptr> wires_;
  std::map<uuid, peer> peers_; // never shrinks: a row a node that was ever a member
};

} // namespace rahat::cluster
