#pragma once

#include "runtime/decider/id.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace rahat::cluster {

/// Who owns a shard, as far as is known: the nil id is nobody (released, or never heard of).
struct shard_owner {
  uuid node;
  std::int64_t epoch = 0;

  bool operator==(const shard_owner&) const = default;
  bool free() const { return node.is_nil(); }
};

/// What a node believes about the owners of all shards. Only a belief for routing: a wrong one
/// costs a hop and is corrected by `moved`; what may be written is decided by the epoch in the
/// database.
///
/// It grows from three sources, in any order and as often as they like: rows read from the
/// database, the `moved` answers of former owners, and this node's own takes and releases. Of two
/// reports the one with the higher epoch is right, because every take raises the epoch. A release
/// keeps it, so that at equal epochs "nobody" is later than an owner. This order is total but for
/// two owners of one epoch, which cannot be: the first report stays, and the second is answered
/// `conflict` for the caller to count and to read the rows again.
///
/// Thread-safe. `read` gives a snapshot that never changes; each change makes a new one.
class shard_map {
public:
  struct table {
    std::uint64_t version = 0; // counts changes of this node's belief; of no meaning elsewhere
    std::array<shard_owner, shard_count> owners{};
  };

  using snapshot = std::shared_ptr<const table>;

  enum class merge { newer, known, conflict, no_such_shard };

  struct row {
    shard_id shard = 0;
    shard_owner owner;
  };

  struct merged {
    std::uint32_t newer = 0;
    std::uint32_t conflicts = 0; // rows that were not believed, shards that do not exist among them
  };

  shard_map();

  /// Never null. Takes a lock for as long as it takes to copy a pointer.
  snapshot read() const;

  /// Rows of table `shard`; one new snapshot at most.
  merged rows_read(const std::vector<row>& rows);

  /// A peer answered that it owns the shard no more: `now` is what it knows, nobody if it does not
  /// know who took it.
  merge moved(shard_id shard, const shard_owner& now);

  /// This node has taken the shard.
  merge taken(shard_id shard, const uuid& self, std::int64_t epoch);

  /// This node has given up the shard that it owned under `epoch`.
  merge released(shard_id shard, std::int64_t epoch);

  /// Everything is forgotten, the version goes on: the database is another generation, whose epochs
  /// say nothing about the former one's.
  void forget();

private:
  merge one(shard_id shard, const shard_owner& heard);

  mutable std::mutex mutex_;
  snapshot now_; // guarded by mutex_; what it points to is immutable
};

} // namespace rahat::cluster
