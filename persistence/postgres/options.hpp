#pragma once

#include "persistence/lease/generation.hpp"
#include "persistence/lease/node_identity.hpp"
#include "persistence/postgres/probe.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace rahat::pg {

/// Bounds of the store. At each of them something stated happens.
namespace limits {
/// A batch ends at whichever comes first; one commit beyond it goes alone.
inline constexpr std::size_t batch_rows = 2'000;
inline constexpr std::size_t batch_bytes = 1 << 20;
/// Chunks of pay lists in one batch: each costs the server some milliseconds.
inline constexpr std::size_t batch_payments = 4;
/// Connections that one batch may lose in a row, each of them made anew in between, the last one
/// proven to live without it. Then the batch itself is taken to be what ends the server's process:
/// its commits go one by one, and the one that loses as many alone is rejected. Attempts to connect
/// that fail count for nothing.
inline constexpr unsigned batch_losses = 3;
/// A batch that the server refuses for a condition of its own (disk full, a lock, a missing right)
/// is sent again for that long, counted from the first refusal since a batch has landed. Then its
/// commits are given up as unavailable, and each further batch is tried once, not more often than
/// every `probe_pause`, until one lands.
inline constexpr std::chrono::milliseconds condition_patience{10'000};
inline constexpr std::chrono::milliseconds probe_pause{1'000};
/// A condition shows in `writer_report` for that long after the last try that met it: without
/// traffic nothing is tried, and who says so for ever would never be sent any.
inline constexpr std::chrono::milliseconds condition_shown{15'000};
/// Bytes queued at a writer before `writer_credit` is used up; the store does not refuse beyond it.
inline constexpr std::int64_t writer_bytes = 8 << 20;
/// Entities whose last seq a writer remembers. The host of one that
/// was forgotten hears `superseded` and loads again.
inline constexpr std::size_t known_entities = 131'072;
/// Reads that wait for a reader; beyond: errc::overloaded.
inline constexpr std::size_t waiting_reads = 10'000;
/// Acknowledgements, snapshots and parked messages that wait for housekeeping. Acknowledgements
/// and snapshots beyond are dropped (they are caches), the oldest parked one is.
inline constexpr std::size_t waiting_acks = 100'000;
inline constexpr std::size_t waiting_snapshot_bytes = 64 << 20;
inline constexpr std::size_t waiting_parked = 10'000;
/// Items of a list page.
inline constexpr std::uint32_t page_items = 200;
} // namespace limits

/// How the store is built. `time`, `chance` and `probe` must outlive it; nullptr takes the
/// system's and a probe that counts nothing.
struct store_options {
  std::string conninfo; // of the service role
  node_identity me;     // names the connections
  generation now;       // of the database; another one fences every shard (R8)
  unsigned writers = 1; // writer = shard mod writers, fixed for the store's life
  unsigned readers = 2;
  std::size_t batch_rows = limits::batch_rows;
  std::size_t batch_bytes = limits::batch_bytes;
  std::int64_t writer_bytes = limits::writer_bytes;
  /// Refuses a server that runs with fsync or full_page_writes off (R8). One whose
  /// synchronous_commit is off is always refused.
  bool refuse_unsafe = true;
  const clock* time = nullptr;
  random* chance = nullptr;
  store_probe* probe = nullptr;
  /// Below the lease's ttl, so that a taker never waits longer for a shard row (R5).
  std::chrono::milliseconds lock_timeout{2'000};
  std::chrono::milliseconds idle_in_transaction_timeout{2'000};
  std::chrono::milliseconds tcp_timeout{2'500};
  std::chrono::milliseconds condition_patience = limits::condition_patience;
  /// How long `stop` waits for queued commits before it fails them as unavailable.
  std::chrono::milliseconds stop_patience{5'000};
  /// How long a read is tried again over lost connections before it fails as unavailable.
  std::chrono::milliseconds read_patience{10'000};
  /// For tests of supervision: called on a writer's thread with commits in its hands, and may throw
  /// to end it.
  std::function<void(unsigned writer)> before_batch;
};

/// How a writer fares.
struct writer_report {
  std::int64_t credit = 0; // bytes that may still be queued
  /// Why Postgres refuses what it is given, with the SQLSTATE, since longer than
  /// `condition_patience`; empty: it does not.
  std::string refused;
};

/// A shard that this node owns, and where its chain stands.
struct owned_shard {
  shard_id shard = 0;
  std::uint64_t epoch = 0;
  std::uint64_t head_position = 0;
  std::string head_hash; // 32 bytes
};

} // namespace rahat::pg
