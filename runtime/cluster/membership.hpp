#pragma once

#include "runtime/cluster/membership_actions.hpp"
#include "runtime/cluster/view.hpp"
#include "runtime/cluster/votes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace rahat::cluster {

/// Every duration and bound of the membership. `ttl` and `renew_every` are the lease's.
struct membership_terms {
  std::int64_t ttl_us = 3'000'000;
  std::int64_t renew_every_us = 1'000'000;

  /// A peer has to be out of reach for this long before it is voted against. Probes come more often
  /// than this by a factor of three at least.
  std::int64_t suspect_after_us = 3'000'000;

  /// A member judges others (lapses and votes) only after its own renewals have run without a gap
  /// for this long. After an outage of the database all leases have lapsed, and the first one that
  /// gets through must not bury those that renew a moment later (R21); a node that slept must not
  /// judge by what it did not hear meanwhile.
  std::int64_t judge_after_us = 2'000'000;

  /// The database's clock was set if it stands further than this from where the last renewal left
  /// it: the leases that it is compared with are older than that. Nobody is judged by this look.
  std::int64_t clock_jump_us = 1'000'000;

  /// A vote counts for this long, and is written again when it is half as old.
  std::int64_t vote_expiry_us = 6'000'000;

  /// Shards on their way to one member at a time: drained here, or released and not yet taken.
  /// Beyond: the others stay and serve until some of these were taken.
  std::size_t moving_at_once = 16;

  /// Members that run, each linked to each. Beyond: one that is joining stops, with a sentence.
  std::size_t members = 16;
};

/// What this node's last probes of one peer said. `reachable` means that a probe sent by this node
/// was *answered* to this node, so that it needs both directions of the link. Peers without a
/// reading, or with one of another incarnation, count as unknown.
struct peer_reading {
  member_id peer;
  bool reachable = false;
  std::int64_t since_us = 0; // own boot clock: since when it is as it is
};

/// A row of table `shard`; the nil id is nobody.
struct shard_row {
  member_id owner;
};

/// Everything that was read before a step. View, votes and shards come from one statement, or else
/// a shard's owner could be missing from the view.
struct observed {
  /// The database's clock as read together with the rows; nullopt if it did not answer. Then the
  /// rest is stale, and nothing follows from it: nobody joins, nobody dies, no shard moves.
  std::optional<std::int64_t> database_now_us;
  std::int64_t boot_now_us = 0; // own CLOCK_BOOTTIME
  std::vector<peer_reading> peers;
  std::vector<vote> votes;
  std::vector<shard_row> shards; // by shard; anything but 256 rows: not read, nothing moves
};

/// What the operator, or the end of the process, asks of this node.
enum class wish {
  belong, // be a member
  drain,  // the same as long as nobody else is active; else give all shards away, but stay to be
          // asked (`rahatctl cluster drain`)
  leave,  // give all shards away, to nobody if nobody is left, and then leave for good
};

/// The node that steps.
struct self_state {
  member_id id; // incarnation 0: has not joined
  std::int32_t build_level = 0;
  wish wanted = wish::belong;
  bool beating = true;  // the scheduler's heartbeat: a wedged node renews nothing and so lets go
  bool serving = false; // self_deadline::serving
  std::optional<std::int64_t> steady_since_us; // self_deadline::steady_since_us
  std::int64_t clock_offset_us = 0;            // self_deadline::clock_offset_us
  std::vector<shard_id> draining;              // released by `step`, not yet given up
};

/// True if the lease gives no protection: it has ended, or lies further ahead than 2 x ttl, because
/// it was written before the database's clock was set back (R21). A reading, nothing more: until
/// somebody acts on it the holder may renew and goes on under the same incarnation and epochs.
bool lapsed(const member& m, std::int64_t database_now_us, std::int64_t ttl_us);

/// True if `self` stands on the side of a cut that may vote: it reaches more than half of the
/// active members, itself among them, or half of them and the active member with the smallest uuid
/// is one of those. What is unknown counts as not reached.
bool on_winning_side(const view& now, const member_id& self,
                     const std::vector<peer_reading>& peers);

/// What `self` should do now. Pure: no clock, no I/O, same result for the same input, so that a
/// simulation drives the very rules that production runs. Any thread.
///
/// *The lease.* Renewed once `renew_every` of it is used. While the own lease is lapsed or the own
/// deadline has passed, to renew is all that a member does.
///
/// *Death.* Terminal for an incarnation, written by another member by compare-and-swap on the
/// view's version: after a lapse by an active or leaving one (the last one to leave must not wait
/// for a dead taker), by an active one when enough votes are written (`voted_out`). Only by a
/// *steady* one. At most one change of the view comes out of a step: after it the others are judged
/// anew, which is what keeps two sides from ending each other. The own row read as dead, left,
/// superseded or gone means `stop_self` and nothing else.
///
/// *Votes* end what a lapse never would: a node that reaches the database but not its peers renews
/// for ever and holds shards that nobody can reach. A member votes against an active peer with a
/// running lease that it has not reached for `suspect_after`, unless its own lease is lapsed, or it
/// is not steady, or it is not `on_winning_side`: then it is itself the one that is cut off. It
/// takes its vote back when the peer answers. So
///  - 3 nodes, A | B C: A reaches 1 of 3 and must not vote; B and C reach 2 of 3: two votes, A is
///  out.
///  - 5 nodes, A B | C D E: A and B reach 2 of 5 and are silent; C, D, E reach 3: A and B are out,
///    one view change after the other.
///  - Even halves, A B | C D: the half that holds the smallest uuid wins. Otherwise neither could
///    vote, and each half would answer 503 for the other's shards until an operator came. Two nodes
///    are the smallest such case: the vote of the smaller one is enough, and it stays.
///  - One way only (A hears B, B does not hear A): no probe between them is answered, in neither
///    direction: the same as a full cut. That is why `reachable` is defined by the answer. If
///    readings differ all the same, one side has one vote, and that ends nobody (of two: the
///    larger's reading counts for nothing).
///  - One broken link, A x C, with B reaching both: one vote each, nobody dies. Requests between A
///    and C are answered 503 until it heals. To give up one of two nodes that a third can reach
///    would turn a fault of a link into the loss of a node.
///  - No side has half (each of 3 alone; 2 | 2 | 1): nobody votes; everybody keeps what it has.
/// A side that reaches each other, and the database, and is more than half, loses nobody: whoever
/// is outside of it reaches less than half and is silent.
///
/// *Joining.* A row as `joining`, then `active` once it reaches every other member, active or
/// leaving, whose lease runs. Those whose lease has lapsed need not be reached, but only a steady
/// joiner may say so. A build that cannot read the view's feature level stops instead, and so does
/// one that finds as many members as there may be.
///
/// *Leaving.* To drain takes another active member whose lease runs: it is not begun without one,
/// and taken back when the last one has gone meanwhile. Only who leaves for good releases shards
/// that nobody is to take.
///
/// *Shards.* Assigned by `assign_shards` over the active members. A member releases those of others
/// whose lease runs, a bounded number at a time, and takes its own as soon as their owner is nobody
/// or may never act again. A lapsed owner is first declared dead; a dead one that was voted out may
/// still answer reads until its last lease has run out, and is waited for so long (R20).
///
/// `serving` is looked at here and not again before each write: each write names what it relies on,
/// so that one that comes late fails.
std::vector<action> step(const view& now, const observed& facts, const self_state& self,
                         const membership_terms& terms = {});

} // namespace rahat::cluster
