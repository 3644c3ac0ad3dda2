#pragma once

#include "runtime/cluster/self_deadline.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace rahat {

/// Time since boot, sleep included (CLOCK_BOOTTIME): CLOCK_MONOTONIC stops in a suspended machine
/// and would let a node that slept believe in its lease.
using boot_time = std::chrono::nanoseconds;

/// The clock port of the lease. Must be callable from any thread.
using boot_clock = std::function<boot_time()>;

/// The real clock; the only place of the lease that reads one.
boot_time read_boot_clock();

/// How a lease runs. The defaults are the ones that ARCHITECTURE states.
struct lease_terms {
  std::chrono::milliseconds ttl{3000};
  std::chrono::milliseconds renew_every{1000};
  /// The holder stops this long before the database would let go of it, for the two clocks' drift.
  std::chrono::milliseconds margin{500};
  /// For tests of the fence alone: once held, the lease counts as valid until its end is known,
  /// whatever the clock says. No setting leads here.
  bool trusted_for_ever = false;
};

/// Why an incarnation may never serve again; the process has to stop (or start anew).
enum class lease_end {
  none,
  declared_dead,    // another member wrote Dead, or this node left
  superseded,       // a later start of this node has raised the incarnation
  other_generation, // the database was promoted or restored (R8)
};

const char* to_string(lease_end why);

/// The lease's logic without I/O and without a clock of its own: the gate and the end, with
/// `self_deadline`, which computes how long the node may serve and since when it is steady.
/// `beat` and the readers may be called by any thread and take no lock; `renewed` and `end` by the
/// lease's thread alone.
class lease_state {
public:
  /// Throws std::invalid_argument unless 0 < margin < ttl.
  explicit lease_state(lease_terms terms);

  /// The scheduler is alive at `now`.
  void beat(boot_time now);

  /// True while the last beat is younger than ttl and nothing has ended the lease: a wedged node
  /// does not renew and so lets go.
  bool may_renew(boot_time now) const;

  /// The database has confirmed a renewal that was sent at `sent_at`, when its own clock said
  /// `database_now_us`. Counted from the sending: it cannot have counted from an earlier moment.
  void renewed(boot_time sent_at, std::int64_t database_now_us);

  /// Terminal: the first reason stays.
  void end(lease_end why);

  /// True while the holder may serve.
  bool valid(boot_time now) const;

  /// Since when renewals have run without a gap, in microseconds of the boot clock; nullopt while
  /// they do not, or after an end.
  std::optional<std::int64_t> steady_since_us(boot_time now) const;

  /// The database's clock minus the boot clock, as of the last renewal; 0 before the first.
  std::int64_t clock_offset_us() const { return offset_us_.load(std::memory_order_relaxed); }

  lease_end ended() const { return ended_.load(std::memory_order_acquire); }
  const lease_terms& terms() const { return terms_; }

private:
  static constexpr boot_time::rep never = -1;

  const lease_terms terms_;
  std::atomic<boot_time::rep> last_beat_{never};
  std::atomic<lease_end> ended_{lease_end::none};

  // The lease's thread only; the four below are what it says, for the readers.
  cluster::self_deadline deadline_;
  std::int64_t last_sent_us_ = never;
  std::atomic<std::int64_t> serve_until_us_{never};
  std::atomic<std::int64_t> offset_us_{0};
  // Written in this order and read in the other one: a reader that finds the newer end of a run has
  // its newer beginning as well, and never takes two runs for one long one.
  std::atomic<std::int64_t> steady_since_us_{never};
  std::atomic<std::int64_t> steady_until_us_{never};
};

} // namespace rahat
