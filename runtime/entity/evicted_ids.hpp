#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/wire/wire.pb.h"

#include <cstdint>
#include <vector>

namespace rahat {

/// Remembers, roughly, which request ids have left an entity's ring: it may say "perhaps" of an
/// id that never came, never "no" of one that did. So that a new request to a busy entity is not
/// looked up in the store each time (Bloom 1970; a growing row of filters as in Almeida et al.
/// 2007, "Scalable Bloom Filters"). Request ids are SHA-256 already: their own bytes are the
/// hashes.
///
/// 16 bits an id and 4 probes: a wrong "perhaps" in about 1 of 400. Layers double from 256 ids
/// to 65,536; when all `max_layers` are full everything is a "perhaps" until the oldest has aged.
class evicted_ids {
public:
  static constexpr std::int64_t keep_us = std::int64_t{8} * 24 * 3600 * 1'000'000; // > 7 days
  static constexpr std::size_t max_layers = 16; // about 590,000 ids, 1.2 MiB

  /// Ids come in the order of their times. Layers that are older than `keep_us` before this one go.
  void add(const uuid& id, std::int64_t at_us);

  /// May an id that came at `horizon_us` or later be this one?
  bool perhaps(const uuid& id, std::int64_t horizon_us) const;

  void save(wire::Snapshot& out) const;
  void load(const wire::Snapshot& in);

private:
  struct layer {
    std::vector<std::uint64_t> bits;
    std::uint32_t capacity = 0;
    std::uint32_t held = 0;
    std::int64_t youngest_us = 0;

    bool may_hold(const uuid& id) const;
  };

  std::vector<layer> layers_;    // oldest first
  std::int64_t overflow_us_ = 0; // the youngest id that found no room
};

} // namespace rahat
