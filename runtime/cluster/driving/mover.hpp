#pragma once

#include "runtime/cluster/driving/gate.hpp"
#include "runtime/cluster/driving/strand.hpp"
#include "runtime/cluster/shard_map.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/elsewhere.hpp"
#include "runtime/ports/membership_store.hpp"
#include "runtime/ports/shard_store.hpp"

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace rahat::cluster {

/// Where a shard stands on this node; docs/protocols/moves.md has the table.
enum class shard_phase { away, ending, taking, opening, open, draining, giving_up, releasing };

std::string_view to_string(shard_phase phase);

/// What moves count. Thread-safe; the default counts nothing.
class mover_probe {
public:
  virtual ~mover_probe() = default;
  virtual void shard_taken(shard_id /*shard*/, bool /*of_the_dead*/) {}
  /// `seconds` from the end of its admission here to its release.
  virtual void shard_released(shard_id /*shard*/, double /*seconds*/) {}
  virtual void shard_fenced(shard_id /*shard*/) {}
  virtual void drain_cut_short(shard_id /*shard*/) {}
  virtual void sessions_ended(const member_id& /*of*/, int /*how_many*/) {}
  /// They did not end, or the database did not answer: these shards stay untaken meanwhile.
  virtual void sessions_stay(const member_id& /*of*/, const std::string& /*why*/) {}
};

struct mover_limits {
  /// Shards that are closed and not yet released, at once: nobody can take those. Beyond: the
  /// others stay open and serve until it is their turn.
  std::size_t draining = 4;
  /// After this the hosts of a draining shard are stopped; their clients try again. As much again
  /// later it is given up, whether the last of them has told its end or not.
  std::chrono::milliseconds drain{900};
  /// A release that the database did not answer is asked again after this.
  std::chrono::milliseconds again{200};
};

/// Carries out what `step` says about shards: takes and opens them, drains and releases them. One
/// shard's life is the table of docs/protocols/moves.md; the rows in the database are the truth.
/// Thread-safe; holds no lock while it calls out. Ended by `stop`.
class mover {
public:
  struct dependencies {
    member_id self;
    membership_store& db;
    shard_store& writers;
    local_shards& hosts;
    shard_map& owners;
    const clock& time;
    mover_probe& probe;
    /// Learns who is parked in a shard, before it is opened; then calls `then`.
    std::function<void(shard_id, std::function<void()> then)> prepare;
    /// The shard has been opened: whoever has something left is to be woken.
    std::function<void(shard_id)> opened;
    /// Told to peers, as hints.
    std::function<void(shard_id, std::int64_t epoch)> taken, released;
    /// The rows have to be read soon.
    std::function<void()> read_soon;
    mover_limits limits = {};
  };

  explicit mover(dependencies d);
  ~mover();

  /// Waits for calls that other threads are in; afterwards nothing is called, and answers that come
  /// late are harmless. May be called from a callback, and again.
  void stop();

  /// From `step`, with the reading that it was decided on.
  void take(const std::vector<shard_id>& shards, const cluster_reading& seen);
  void release(const std::vector<shard_id>& shards);

  /// The rows as they were read, before `step` decides on them. Each reading begins after the one
  /// before was told here.
  void rows_read(const cluster_reading& seen);

  /// The store has held them under these epochs and found others. A late word about a former epoch
  /// says nothing of the present one.
  void fenced(const std::map<shard_id, std::int64_t>& shards);

  /// Every 25 ms or so: what takes too long, what is to be asked again.
  void tick();

  shard_phase phase(shard_id shard) const;

  /// Released by `step`, and not yet gone.
  std::vector<shard_id> leaving() const;

  std::size_t count(shard_phase phase) const;

  /// Everything but away.
  std::size_t held() const;

private:
  using time_point = std::chrono::steady_clock::time_point;

  struct place {
    shard_phase phase = shard_phase::away;
    std::uint64_t turn = 0;        // counts changes of phase: answers to former ones are ignored
    std::optional<member_id> dead; // ending, taking: whose sessions had to end first
    shard_grant grant;   // from opening on; in releasing with the head that the writer named
    time_point since{};  // of the phase
    time_point closed{}; // since when it drains
    bool cut_short = false;
    bool asked = false; // releasing: an answer is on its way
    /// Away though its row may still say that it is ours: readings that begin from this one on
    /// decide.
    std::optional<std::uint64_t> in_doubt;
  };

  /// A former owner whose sessions have to end first.
  struct former {
    bool ended = false;
    bool asked = false;
    std::set<shard_id> wanted;
  };

  // All under mutex_; what they ask of others is added to effects_.
  place& go(shard_id shard, shard_phase to);
  void start_taking(shard_id shard);
  void end_sessions(const member_id& of);
  void start_draining();
  void start_giving_up(shard_id shard);
  void ask_release(shard_id shard);
  void lose(shard_id shard);
  void doubt(shard_id shard);
  bool current(shard_id shard, std::uint64_t turn) const;

  // Answers; each comes with the turn that it belongs to.
  void sessions_answered(const member_id& of, const std::variant<int, error>& answer);
  void take_answered(shard_id shard, std::uint64_t turn,
                     std::variant<std::optional<shard_grant>, error> answer);
  void prepared(shard_id shard, std::uint64_t turn);
  void drained(shard_id shard, std::uint64_t turn);
  void given_up(shard_id shard, std::uint64_t turn, std::variant<shard_grant, error> answer);
  void release_answered(shard_id shard, std::uint64_t turn,
                        const std::variant<swap, error>& answer);

  template <class F>
  void change(F&& f); // under the lock, then runs the effects
  template <class... A>
  auto answer_to(void (mover::*handler)(shard_id, std::uint64_t, A...), shard_id shard,
                 std::uint64_t turn);

  dependencies d_;
  mutable std::mutex mutex_;
  std::array<place, shard_count> places_;
  std::map<member_id, former> formers_;
  std::deque<shard_id> to_drain_; // open, waiting for their turn
  std::uint64_t readings_ = 0;    // told by rows_read
  strand effects_;
  const std::shared_ptr<gate> gate_ = std::make_shared<gate>(); // late answers have it as well
};

} // namespace rahat::cluster
