#pragma once

#include "runtime/ports/entities.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace rahat {

/// The entities that this node serves itself. Thread-safe, nothing blocks. What is asked of an
/// entity of another node is refused with errc::moved.
class local_entities : public entities {
public:
  /// Hands an outbox message to its target. False: the target is not served here, or has no room;
  /// its source sends it again.
  virtual bool deliver(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                       const std::string& body) = 0;

  /// Tells the source that the target has applied its messages up to n. Nothing happens if the
  /// source is not in memory here: it hears it again when it sends again.
  virtual void heard(const entity_ref& source, const entity_ref& target, std::uint64_t n) = 0;

  /// An operator lets an entity that was parked try again; its rows are gone. Nothing happens if it
  /// is not served here, or not parked.
  virtual void release(const entity_ref& entity) = 0;
};

/// Which shards this node's hosts run in. Thread-safe, nothing blocks.
class local_shards {
public:
  virtual ~local_shards() = default;

  /// Serves the shard from now on: this node has taken it.
  virtual void open(shard_id shard) = 0;

  /// Serves the shard no more: hosts finish the mail that they have, then end. `done` is called
  /// once none is left, from any thread; `drop` hurries it.
  virtual void hand_over(shard_id shard, std::function<void()> done) = 0;

  /// Ends all hosts of the shard at once and closes it: it is fenced, or its time to move is up.
  /// What they had not answered is refused as `moved`.
  virtual void drop(shard_id shard) = 0;
};

/// Where the outboxes of this node's entities reach those of other nodes. Thread-safe, nothing
/// blocks; both may be lost, as the outbox expects.
class elsewhere {
public:
  virtual ~elsewhere() = default;

  virtual void tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                    const std::string& body) = 0;
  virtual void acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) = 0;
};

} // namespace rahat
