#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/wire/wire.pb.h"

#include <cstdint>
#include <optional>
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

  /// True if an id that came at `horizon_us` or later may have left the ring: then a miss means
  /// nothing and the store has to be asked.
  bool may_have_forgotten(std::int64_t horizon_us) const {
    return youngest_evicted_us_ >= horizon_us && youngest_evicted_us_ != 0;
  }

  void save(wire::Snapshot& out) const;
  void load(const wire::Snapshot& in);

  std::size_t size() const { return marks_.size(); }

private:
  std::uint32_t capacity_;
  std::vector<mark> marks_; // circular once full
  std::size_t oldest_ = 0;
  std::unordered_map<uuid, std::uint32_t> index_;
  std::int64_t youngest_evicted_us_ = 0;
};

} // namespace rahat
