#pragma once

#include "runtime/decider/id.hpp"

#include <cstddef>
#include <vector>

namespace rahat::cluster {

/// Which member should own which shard. A value: every node computes it from the members of its
/// view, and two nodes with the same members arrive at the same one without speaking to each other.
struct assignment {
  /// By shard; empty if there was no member that could own anything.
  std::vector<uuid> owner_of;

  bool operator==(const assignment&) const = default;
  bool empty() const { return owner_of.empty(); }

  /// The member that should own `shard`; the nil id if nobody can.
  uuid owner(shard_id shard) const;

  /// Ascending.
  std::vector<shard_id> shards_of(const uuid& member) const;
};

/// The most shards that one of `members` may be assigned: ceil(1.05 x 256 / members). 0 for none.
std::size_t shard_cap(std::size_t members);

/// Rendezvous hashing with bounded loads.
///
/// Rendezvous (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998;
/// HRW) gives each pair (shard, member) a weight by hashing and each shard to its heaviest member,
/// so that a member that joins only takes and one that leaves only gives. Its loads scatter: of
/// three nodes one would often have 100 shards instead of 85. Bounded loads (Mirrokni, Thorup and
/// Zadimoghaddam, "Consistent hashing with bounded loads", 2018) let no member have more than
/// ceil(1.05 x mean): what does not fit goes on to the shard's next choice.
///
/// Here all pairs are taken in falling order of weight; a pair is kept if its shard is still free
/// and its member not yet full. That is the stable matching in which both sides prefer the heavier
/// pair: no order of shards is favoured, and a full member gives up its lightest shards.
///
/// The result depends on the set of members alone: neither on their order nor on repetitions.
///
/// Movement when a member joins n others (the same when it leaves them), as a multiple of the
/// 256 / (n + 1) shards that a perfect scheme moves; what is above 1 is the price of the bound.
/// Measured over 100 to 400 random sets for each n: mean at most 1.07 and worst 1.29 up to 5 nodes,
/// 1.2 and 1.5 up to 9, 1.6 and 2.0 up to 17, 2.7 and 3.4 up to 32. There a share is 8 shards and
/// the rounded bound itself falls: from 29 to 30 nodes every full member has to give one up.
/// tests/unit/cluster holds these figures.
///
/// The hash is frozen: builds side by side must agree (a test pins its results).
///
/// Throws std::invalid_argument for the nil id, which means "nobody" in every row of ours.
/// Cost: sorts 256 x members pairs, under 1 ms for 32 members.
assignment assign_shards(std::vector<uuid> members);

} // namespace rahat::cluster
