#pragma once

#include "runtime/ports/queries.hpp"
#include "runtime/ports/shard_store.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rahat::conformance {

/// A store with what the suite needs around it. Another store passes the suite by deriving from
/// this and instantiating the suites: see memory_subjects.cpp.
class store_under_test {
public:
  virtual ~store_under_test() = default;

  /// The store as it is now: `reopen` ends it and makes another.
  virtual rahat::store& store() = 0;
  virtual rahat::queries& queries() = 0;
  virtual rahat::shard_store& shards() = 0;

  /// As kill -9 and a new start: what was queued is gone without a word, rows stay, every shard is
  /// taken anew.
  virtual void reopen() = 0;

  /// Another owner takes the shard, and the store does not know of it.
  virtual void fence(shard_id shard) = 0;

  /// The store takes the shard back.
  virtual void take_over(shard_id shard) = 0;

  /// Somebody with access to the database changes what a locked line promises.
  virtual void alter_line(const uuid& list, std::uint32_t no, std::int64_t amount_minor) = 0;

  enum class progress {
    stepped,      // it did something; there may be more
    nothing_left, // waiting longer changes nothing
    by_itself,    // threads of its own are at work
  };
  virtual progress drive() { return progress::by_itself; }

  enum class fault {
    fail_before_commit, // the connection breaks before the next n batches land
    lose_reply,         // the next n batches land, then the connection breaks
    deadlock,           // the next n batches are refused with 40P01
    serialisation,      // the next n batches are refused with 40001
    disk_full,          // the next n batches are refused with 53100; 0: no more
  };

  /// Only subjects of `store_faults` are asked.
  virtual void inject(fault what, std::uint32_t batches);

  /// From now on the server's process dies whenever it stores a row of this entity; the server
  /// itself goes on. Only subjects of `store_faults` are asked.
  virtual void deadly(const entity_ref& entity);

  /// The server is out of reach until `server_back`. Only subjects of `store_faults` are asked.
  virtual void server_away();
  virtual void server_back();

  /// Moves the clock by which requests are kept. Only subjects of `store_retention` are asked.
  virtual void advance_days(int days);
};

/// To be given to each store's `on_fenced` before it starts.
using fence_listener = std::function<void(std::vector<shard_id>)>;

/// How a suite gets its store, a fresh one for each case.
struct subject {
  std::string name;
  std::function<std::unique_ptr<store_under_test>(fence_listener)> make;
};

inline void PrintTo(const subject& s, std::ostream* out) {
  *out << s.name;
}

} // namespace rahat::conformance
