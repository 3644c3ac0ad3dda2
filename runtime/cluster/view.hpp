#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::cluster {

/// Where a member stands. Runs joining -> active -> leaving -> left; dead can follow each of the
/// first three. `left` and `dead` are terminal for the incarnation.
enum class member_status {
  joining, // has a row and a lease, proves that it reaches the others; owns and votes on nothing
  active,  // owns shards, votes
  leaving, // gives its shards away; votes on nothing
  left,    // stopped in order
  dead,    // written by another member: after a lapse, or by vote
};

std::string_view to_string(member_status status);

/// One process for ever: a restarted node has the same uuid and a higher incarnation.
struct member_id {
  uuid node;
  std::int64_t incarnation = 0;

  auto operator<=>(const member_id&) const = default;
  std::string str() const { return node.str() + "/" + std::to_string(incarnation); }
};

/// One row of the membership.
struct member {
  uuid node_uuid;
  std::int64_t incarnation = 0;
  std::string address; // where its peers dial it
  std::uint16_t port = 0;
  member_status status = member_status::joining;
  std::int64_t lease_until_us = 0; // on the database's clock only
  std::int32_t feature_level = 0;  // what it writes at most: the view's level when it last looked
  std::int32_t build_level = 0;    // what its build can read
  std::string name = {};           // this and the rest are for people
  std::string operators = {};      // its internal listener
  std::string build = {};
  std::string why = {}; // it stands where it does: of the last change of status

  bool operator==(const member&) const = default;
  member_id id() const { return {node_uuid, incarnation}; }

  /// Its incarnation may still act; says nothing of its lease.
  bool alive() const { return status != member_status::left && status != member_status::dead; }
  bool active() const { return status == member_status::active; }
};

/// Who belongs to the cluster: all rows as read in one statement, with the version that a change
/// has to name (compare-and-swap). A value; safe to copy to any thread.
struct view {
  std::int64_t version = 0;
  std::vector<member> members; // in any order, at most one a node
  std::int32_t feature_level = 0;

  /// Every field, leases as well: two readings are seldom equal in this sense. See `agree`.
  bool operator==(const view&) const = default;

  /// The member's row, or null.
  const member* find(const uuid& node) const;

  /// The row if it is of this incarnation, else null.
  const member* find(const member_id& id) const;

  /// Those that are neither left nor dead, by uuid.
  std::vector<member> alive() const;

  /// The uuids of those that own shards, ascending; the input of `assign_shards`.
  std::vector<uuid> active() const;

  /// The active member with the smallest uuid, who does what one alone should do; nil if none is.
  uuid coordinator() const;

  /// For logs: `view 7 level 1: 0a..01/3 active 10.0.0.1:7001, ...`, by uuid.
  std::string str() const;
};

/// True if both are the same view: version, level and rows, whatever the leases say and however the
/// rows are ordered. A renewal does not make another view.
bool agree(const view& a, const view& b);

} // namespace rahat::cluster
