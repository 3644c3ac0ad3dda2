#pragma once

#include "runtime/cluster/view.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rahat::cluster {

/// What a member is to do next. Each is a wish: whoever performs it does so by compare-and-swap and
/// asks `step` again, with what it then reads, whether it succeeded or not. `view_version` is the
/// version that the write must still find; it raises it by one in the same transaction.

/// Own row: lease_until = database now + ttl, if the incarnation is still alive. No view change.
struct renew_lease {
  bool operator==(const renew_lease&) const = default;
};

/// Own row as `joining` under a new incarnation, with a lease. Ends the node's former incarnation.
struct join {
  std::int64_t view_version = 0;
  bool operator==(const join&) const = default;
};

/// Own row joining -> active.
struct activate {
  std::int64_t view_version = 0;
  bool operator==(const activate&) const = default;
};

/// Writes or renews the own vote, if both incarnations are still active. No view change.
struct vote_against {
  member_id peer;
  bool operator==(const vote_against&) const = default;
};

/// Deletes the own vote: the peer answers again. No view change.
struct withdraw_vote {
  member_id peer;
  bool operator==(const withdraw_vote&) const = default;
};

enum class death_reason { lapsed, voted };

/// The peer's row -> dead. For `lapsed` the write must also find `lease_until_us` unchanged: the
/// peer may have renewed since it was read.
struct declare_dead {
  std::int64_t view_version = 0;
  member_id peer;
  death_reason reason = death_reason::lapsed;
  std::int64_t lease_until_us = 0;
  bool operator==(const declare_dead&) const = default;
};

/// Own row active -> leaving.
struct begin_leave {
  std::int64_t view_version = 0;
  bool operator==(const begin_leave&) const = default;
};

/// Own row leaving -> active: whoever asked it to drain has thought better of it, or nobody is left
/// who would take its shards.
struct stay {
  std::int64_t view_version = 0;
  bool operator==(const stay&) const = default;
};

/// Own row -> left; it owns nothing any more.
struct leave {
  std::int64_t view_version = 0;
  bool operator==(const leave&) const = default;
};

enum class stop_reason {
  declared_dead, // another member wrote it
  superseded,    // a later start of this node lives
  row_gone,      // somebody removed the row of this incarnation
  left,          // in order
  build_too_old, // the view's feature level is above what this build reads
  cluster_full,  // so many members run already that it may not join
};

/// The process stops serving at once and ends; this incarnation never acts again.
struct stop_self {
  stop_reason reason = stop_reason::declared_dead;
  bool operator==(const stop_self&) const = default;
};

/// Drain these and give them up: they belong to another member now.
struct release {
  std::vector<shard_id> shards;
  bool operator==(const release&) const = default;
};

/// Take these: assigned to this member, and owned by nobody that may still act. Before the first
/// write the sessions of a dead owner are ended (R5).
struct take {
  std::vector<shard_id> shards;
  bool operator==(const take&) const = default;
};

using action = std::variant<renew_lease, join, activate, vote_against, withdraw_vote, declare_dead,
                            begin_leave, stay, leave, stop_self, release, take>;

std::string_view to_string(death_reason reason);
std::string_view to_string(stop_reason reason);

/// For operators: the reason in a sentence, with what to do.
std::string_view explain(stop_reason reason);

/// For logs: `declare_dead 0a..01/3 lapsed`.
std::string to_string(const action& what);

} // namespace rahat::cluster
