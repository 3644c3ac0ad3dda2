#pragma once

#include "runtime/decider/id.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace rahat::pg {

/// What a writer remembers of each entity: whose commits it takes and which seq comes next (R2).
/// Bounded: of the entities that were not met lately the older half is forgotten at once; what is
/// forgotten has to be loaded again. Belongs to one writer thread.
class seq_book {
public:
  struct entry {
    std::uint64_t incarnation = 0;
    std::uint64_t epoch = 0; // of the shard at the load: after another one, others may have written
    std::uint64_t seq = 0;   // the last one committed or in flight
    bool known = false;      // seq has been learned by a load
    bool failed = false;     // a commit of this incarnation has failed: no later one may land
  };

  explicit seq_book(std::size_t bound) : half_(bound / 2 + 1) {}

  /// nullptr if forgotten or never met. Valid until the next call.
  entry* find(const entity_ref& entity);

  /// The entity's entry, made if need be. Valid until the next call.
  entry& at(const entity_ref& entity);

  std::size_t size() const { return young_.size() + old_.size(); }

private:
  using entries = std::unordered_map<entity_ref, entry>;

  std::size_t half_;
  entries young_;
  entries old_;
};

} // namespace rahat::pg
