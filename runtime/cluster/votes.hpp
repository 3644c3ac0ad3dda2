#pragma once

#include "runtime/cluster/view.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rahat::cluster {

/// One member's written suspicion that another cannot be reached. One row a (voter, against); a new
/// vote replaces the former one.
struct vote {
  member_id voter;
  member_id against;
  std::int64_t written_us = 0; // database clock

  bool operator==(const vote&) const = default;
};

/// Votes of this many distinct active members make a member dead; of two active members the vote of
/// the one with the smaller uuid is enough.
inline constexpr std::size_t votes_needed = 2;

/// True while the vote counts: younger than `expiry_us` at `database_now_us`. One that lies as far
/// ahead was written before the clock was set back and does not count either.
bool fresh(const vote& v, std::int64_t database_now_us, std::int64_t expiry_us);

/// True if the fresh votes suffice to declare `target` dead. What counts is who is active in `now`
/// and in which incarnation: the votes of a member that died, left or was restarted went with it,
/// and so did those against a former incarnation. Only active members are voted out: a joining one
/// owns nothing, and a leaving one gives its shards away through the database.
bool voted_out(const view& now, const member& target, const std::vector<vote>& votes,
               std::int64_t database_now_us, std::int64_t expiry_us);

} // namespace rahat::cluster
