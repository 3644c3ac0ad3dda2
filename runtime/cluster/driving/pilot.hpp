#pragma once

#include "runtime/cluster/driving/gate.hpp"
#include "runtime/cluster/driving/mover.hpp"
#include "runtime/cluster/membership.hpp"
#include "runtime/ports/lease.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace rahat::cluster {

/// What the pilot counts. Thread-safe; the default counts nothing.
class pilot_probe {
public:
  virtual ~pilot_probe() = default;
  virtual void read(double /*seconds*/) {}
  virtual void read_failed(const std::string& /*why*/) {}
  virtual void acted(const action& /*what*/, swap /*how*/) {}
  virtual void owners_disagree(std::uint32_t /*rows*/) {}
};

/// Reads the tables, asks `step`, performs what it says: the only one who acts on the membership in
/// this node's name. One call of the store is under way at a time; takes and releases go to the
/// mover. Driven by `tick`. Thread-safe; holds no lock while it calls out. Ended by `stop`.
class pilot {
public:
  struct dependencies {
    member_id self;
    std::int32_t build_level = 0;
    membership_store& db;
    const rahat::lease& right;
    const clock& time;
    mover& moves;
    shard_map& owners;
    pilot_probe& probe;
    std::function<bool()> beating; // the scheduler is alive
    membership_terms terms = {};
    /// After each reading: the view, and whether it differs from the one before.
    std::function<void(std::shared_ptr<const view>, bool newer)> viewed;
    std::function<void()> owners_changed;
    std::function<void(stop_reason)> stop; // once: this incarnation is over
    std::chrono::milliseconds read_every{250};
    std::chrono::milliseconds read_apart{50}; // even when it is wanted soon
    std::chrono::milliseconds give_up{3'000}; // on an answer that does not come
  };

  explicit pilot(dependencies d);
  ~pilot();

  /// Waits for calls that other threads are in; afterwards nothing is called, and answers that come
  /// late are harmless. May be called from a callback, and again.
  void stop();

  /// Every 25 ms or so.
  void tick();

  /// Something has changed, or may have.
  void read_soon();

  /// From the links: a probe was answered, or has not been for a while.
  void peer(const member_id& peer, bool reachable);

  /// What the process wishes; an operator's wish to drain comes with the reading.
  void want(wish w);

  /// The newest one; null before the first reading. Never goes back.
  std::shared_ptr<const view> now() const;

  /// Votes of the last reading, for operators.
  std::vector<vote> votes() const;

  /// Since the last reading was answered; before the first one, since this was made.
  std::chrono::milliseconds reading_age() const;

  /// May the lease be renewed? Asked a few times a second. A node that renews and does not read
  /// takes no shard and hears no word of its own death, while the others take it for well: so only
  /// while the last reading is younger than a ttl. Once the lease has been lapsed for a ttl, in
  /// which the others had the time to act, it is enough to try: the database is away, and whoever
  /// reaches it again shall serve with the first renewal.
  bool keeps_lease();

private:
  using time_point = std::chrono::steady_clock::time_point;

  void took_reading(std::uint64_t call, std::variant<cluster_reading, error> answer);
  bool perform(std::uint64_t call, const std::vector<action>& actions, const cluster_reading& seen);
  void performed(std::uint64_t call, const action& what, const std::variant<swap, error>& how);
  observed facts_of(const cluster_reading& seen) const;
  self_state self_of(const cluster_reading& seen) const;
  void end(stop_reason why);

  dependencies d_;
  mutable std::mutex mutex_;
  bool ended_ = false;
  std::uint64_t calls_ = 0;
  bool under_way_ = false; // a call of the store, or what follows from its answer
  time_point asked_{};
  std::int64_t asked_boot_us_ = 0; // the database's clock is compared with this moment's
  time_point next_read_{};
  time_point read_at_; // the last answer
  std::optional<time_point> lapsed_since_;
  wish wanted_ = wish::belong;
  std::shared_ptr<const view> now_;
  std::vector<vote> votes_;
  std::map<uuid, peer_reading> peers_;
  const std::shared_ptr<gate> gate_ = std::make_shared<gate>(); // late answers have it as well
};

} // namespace rahat::cluster
