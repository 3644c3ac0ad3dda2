#pragma once

#include "gateways/ops/ops.hpp"
#include "persistence/postgres/pg_store.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/delays.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace rahat {

/// Looks at the database once a second, through the sessions of the store: whether it answers, and
/// whether it would keep what it acknowledges (R8). A start looks as well; but settings change
/// under open sessions, and a server that comes back may run with others. Owned by the node, which
/// stops store and delays first; any thread.
class database_watch {
public:
  /// `refuse_unsafe`: `database.fsync_check`.
  database_watch(const clock& time, bool refuse_unsafe);

  void start(pg_store& db, delays& later);

  /// False: nothing may be served, for it could be lost.
  bool durable() const { return durable_; }

  /// For readiness: `postgres` and `durable`.
  ops::check answers() const;
  ops::check keeps() const;

private:
  void look(pg_store& db, delays& later);
  void saw(pg_store& db, const outcome<std::string>& answer);

  const clock& time_;
  const bool refuse_unsafe_;
  std::atomic<std::int64_t> seen_us_{0}; // boot clock
  std::atomic<bool> durable_{true};
  mutable std::mutex mutex_; // guards the next line
  std::string why_not_;
};

/// For readiness: `writers`, which is that of the one that fares worst.
ops::check writers_check(const std::vector<pg::writer_report>& writers);

} // namespace rahat
