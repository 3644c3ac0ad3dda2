#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/entity/evicted_ids.hpp"
#include "runtime/wire/wire.pb.h"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rahat {

/// The client requests that an entity remembers: the last `capacity` ids with the hash of what they
/// asked. Replies stand in the store. Owned by one host. Empty rings hold no memory.
class request_ring {
public:
  struct mark {
    uuid id;
    std::uint64_t payload_hash = 0;
    std::int64_t at_us = 0;
    bool pending = false; // the answer comes with a later commit
  };

  explicit request_ring(std::uint32_t capacity) : capacity_(capacity) {}

  const mark* find(const uuid& id) const;

  /// Remembers an id that `find` does not know; the oldest leaves when the ring is full.
  void remember(const mark& m);

  void answered(const uuid& id);

  /// True if this id may have come at `horizon_us` or later and left the ring since: then a miss
  /// means nothing and the store has to be asked. Rarely wrong in this direction, never in the
  /// other.
  bool may_have_forgotten(const uuid& id, std::int64_t horizon_us) const {
    return evicted_ && evicted_->perhaps(id, horizon_us);
  }

  void save(wire::Snapshot& out) const;
  void load(const wire::Snapshot& in);

  std::size_t size() const { return marks_.size(); }

private:
  std::uint32_t capacity_;
  std::vector<mark> marks_; // circular once full
  std::size_t oldest_ = 0;
  std::unordered_map<uuid, std::uint32_t> index_;
  std::unique_ptr<evicted_ids> evicted_; // made when the first one leaves
};

} // namespace rahat
