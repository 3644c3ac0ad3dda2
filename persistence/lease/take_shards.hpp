#pragma once

#include "persistence/lease/generation.hpp"
#include "persistence/lease/node_identity.hpp"
#include "runtime/decider/id.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace rahat {

/// Others are judged only after the database has answered without a gap for this long: after an
/// outage all leases have lapsed, and who comes back first must not bury the rest (R21).
inline constexpr std::chrono::milliseconds judge_after{2'000};

/// A shard that this incarnation now owns, and where its journal stands.
struct taken_shard {
  shard_id shard = 0;
  std::int64_t epoch = 0;         // the fence of all its commits
  std::int64_t head_position = 0; // the last journal position given out
  std::string head_hash;          // the chain's last hash, raw bytes
};

/// Ends what former incarnations of this node left in the database and waits until it is gone: a
/// frozen process in the middle of a commit would hold a shard's row for as long as it sleeps (R5).
/// Returns how many sessions were ended; throws lease_error when one does not end within 10 s.
int end_former_sessions(const std::string& service_conninfo, const node_identity& me);

/// For a node that is alone: takes every shard that is free, was this node's, belongs to a member
/// that is dead or has left, or to another generation of the database. end_former_sessions first,
/// then one transaction a shard in shard order, each of which raises the epoch (`shard_take_v1`).
///
/// Members that have only lapsed keep their shards until they are declared dead. That is done here,
/// because nobody else would: after having watched, for `judge_after` without a gap, that they do
/// not renew. Whoever renews meanwhile lives, and its shards are left alone and not returned. This
/// costs 2 s, and only where such a row is left. Their sessions are ended as well (R5).
///
/// The caller holds a valid lease. Throws lease_error when this incarnation is no longer the node's
/// latest or not `up`, or when the database does not hold exactly `shard_count` shards; pqxx's
/// errors otherwise.
std::vector<taken_shard> take_shards(const std::string& service_conninfo, const node_identity& me,
                                     const generation& now, const lease_terms& terms = {});

} // namespace rahat
