#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rahat {

/// Every bound of an entity's host and of the region, with what happens at it.
struct host_limits {
  /// Mail of one entity between arrival and decide. Beyond: requests and reads get `overloaded`,
  /// messages stay in their sender's outbox and come again.
  std::uint32_t inbox = 64;

  /// Commits decided but not yet committed. Beyond: the host takes no further mail.
  std::uint32_t speculative = 256;

  /// The same for an entity's own work, so that a pause takes effect soon.
  std::uint32_t work_ahead = 8;

  /// Answers that wait for a commit. Beyond: the host takes no further mail.
  std::uint32_t held = 8'192;

  /// Clients that wait for the late answer to one request. Beyond: `overloaded`.
  std::uint32_t waiters = 64;

  /// Messages sent but not acknowledged. Beyond: the entity's own work waits.
  std::uint32_t unacknowledged = 4'096;

  /// Of those, how many are on their way to one target at a time.
  std::uint32_t window = 32;

  /// Request ids remembered in the state; older ones are looked up in the store. More than
  /// `speculative`, so that an id never leaves before its commit has landed.
  std::uint32_t request_ring = 1'024;

  /// For how long a request id is remembered at all.
  std::int64_t request_days_us = std::int64_t{7} * 24 * 3600 * 1'000'000;

  /// A message that was not acknowledged is sent again after this, doubling up to the second.
  std::chrono::milliseconds resend_first{250};
  std::chrono::milliseconds resend_last{5'000};

  /// An entity that nobody asks leaves memory after this.
  std::chrono::milliseconds passivate_after{120'000};

  /// But not if it has a timer within this.
  std::int64_t keep_for_timer_us = std::int64_t{600} * 1'000'000;

  /// A snapshot is written when this much was journalled since the last one, or as much as the
  /// last one was long.
  std::size_t snapshot_floor_bytes = 16 * 1024;

  /// An entity that fails by its own fault this often within the window is parked.
  std::uint32_t tries_before_parking = 3;
  std::chrono::milliseconds failure_window{60'000};

  /// Backoff between restarts, doubling, with jitter.
  std::chrono::milliseconds restart_first{50};
  std::chrono::milliseconds restart_last{10'000};

  /// Entities in memory on this node. From 15 sixteenths of it on, each that starts asks one that
  /// was left alone for long, but never for less than `unused_at_least`, to leave. At it, requests
  /// for others get `overloaded`.
  std::size_t resident = 200'000;
  std::chrono::milliseconds unused_at_least{1'000};

  /// Entities woken per second at start.
  std::uint32_t wake_per_second = 5'000;
};

} // namespace rahat
