#pragma once

#include "runtime/ports/membership_store.hpp"

namespace rahat {

/// The writer's side of a change of owner. Implemented by the stores. Thread-safe, nothing blocks.
class shard_store {
public:
  virtual ~shard_store() = default;

  /// From now on commits of the shard are taken, under this epoch. In order with later writes.
  virtual void adopt(const shard_grant& shard) = 0;

  /// Disowns the shard once everything of it that was queued has been resolved; `done` hears where
  /// its head stands, to be named in `release`, or an error when it was not ours any more. Only
  /// under this epoch: one that was lost and adopted anew meanwhile stays.
  virtual void give_up(shard_id shard, std::int64_t epoch,
                       std::function<void(std::variant<shard_grant, error>)> done) = 0;
};

} // namespace rahat
