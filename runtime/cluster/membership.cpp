#include "runtime/cluster/membership.hpp"

#include "runtime/cluster/assignment.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

namespace rahat::cluster {

namespace {

const peer_reading* reading_of(const std::vector<peer_reading>& all, const member_id& peer) {
  for (const auto& r : all)
    if (r.peer == peer)
      return &r;
  return nullptr;
}

bool reached(const std::vector<peer_reading>& all, const member_id& peer) {
  const auto* r = reading_of(all, peer);
  return r != nullptr && r->reachable;
}

/// One step, taken apart by subject. Only made when the database has answered.
class stepping {
public:
  stepping(const view& now, const observed& facts, const self_state& self,
           const membership_terms& terms)
      : view_(now),
        facts_(facts),
        self_(self),
        terms_(terms),
        database_now_us_(*facts.database_now_us),
        row_(now.find(self.id.node)) {}

  std::vector<action> run() {
    if (const auto why = reason_to_stop())
      return {stop_self{*why}};
    if (self_.id.incarnation == 0) {
      if (self_.wanted == wish::belong && self_.beating)
        out_.push_back(join{view_.version});
      return out_;
    }
    renew();
    if (!self_.serving || !runs(*row_))
      return out_;
    const bool changes_view = go_on() || declare_one_dead();
    if (!changes_view && row_->active() && steady())
      vote_on_peers();
    move_shards();
    return out_;
  }

private:
  std::optional<stop_reason> reason_to_stop() const {
    if (view_.feature_level > self_.build_level)
      return stop_reason::build_too_old;
    if (self_.id.incarnation == 0)
      return self_.wanted == wish::leave ? std::optional(stop_reason::left) : std::nullopt;
    if (row_ == nullptr || row_->incarnation < self_.id.incarnation)
      return stop_reason::row_gone;
    if (row_->incarnation > self_.id.incarnation)
      return stop_reason::superseded;
    if (row_->status == member_status::dead)
      return stop_reason::declared_dead;
    if (row_->status == member_status::left)
      return stop_reason::left;
    if (row_->status == member_status::joining && others_that_run() >= terms_.members)
      return stop_reason::cluster_full;
    return std::nullopt;
  }

  /// Active and leaving ones, which every member is linked to.
  std::size_t others_that_run() const {
    return static_cast<std::size_t>(
        std::count_if(view_.members.begin(), view_.members.end(), [&](const member& m) {
          return m.node_uuid != self_.id.node && m.alive() && m.status != member_status::joining &&
                 runs(m);
        }));
  }

  bool runs(const member& m) const { return !lapsed(m, database_now_us_, terms_.ttl_us); }

  void renew() {
    const auto left_us = row_->lease_until_us - database_now_us_;
    const bool due = !runs(*row_) || left_us <= terms_.ttl_us - terms_.renew_every_us;
    if (due && self_.beating)
      out_.push_back(renew_lease{});
  }

  /// The own way through the states; true if this step changes the view.
  bool go_on() {
    const bool joining = row_->status == member_status::joining;
    const bool leaving = row_->status == member_status::leaving;
    const bool empty = joining || (leaving && knows_shards() && owns_nothing());
    const auto wanted = wanted_now();
    if (wanted == wish::leave && empty)
      out_.push_back(leave{view_.version});
    else if (wanted == wish::belong && joining && may_activate())
      out_.push_back(activate{view_.version});
    else if (wanted == wish::belong && leaving)
      out_.push_back(stay{view_.version});
    else if (wanted != wish::belong && row_->active())
      out_.push_back(begin_leave{view_.version});
    else
      return false;
    return true;
  }

  /// A drain needs somebody who takes the shards. Without that a member belongs, whatever it was
  /// asked for: of two that are drained at once, or when the taker dies half-way.
  wish wanted_now() const {
    const bool drains = self_.wanted == wish::drain;
    return drains && !somebody_takes() ? wish::belong : self_.wanted;
  }

  /// Another member is active and its lease runs. A leaving one that is not steady does not yet
  /// believe that no lease runs: after an outage all have lapsed, and are renewed in a moment.
  bool somebody_takes() const {
    const bool patient = row_->status == member_status::leaving && !steady();
    return std::any_of(view_.members.begin(), view_.members.end(), [&](const member& m) {
      return m.active() && m.node_uuid != self_.id.node && (runs(m) || patient);
    });
  }

  bool may_activate() const {
    return std::all_of(view_.members.begin(), view_.members.end(), [&](const member& m) {
      return !m.alive() || m.status == member_status::joining || reached(facts_.peers, m.id()) ||
             (!runs(m) && steady());
    });
  }

  /// Renewals have run without a gap for long enough to judge by what was and was not heard, and
  /// the clock that leases are compared with is the one that they were written by.
  bool steady() const {
    const auto offset = database_now_us_ - facts_.boot_now_us;
    return self_.steady_since_us &&
           std::abs(offset - self_.clock_offset_us) <= terms_.clock_jump_us &&
           facts_.boot_now_us - *self_.steady_since_us >= terms_.judge_after_us;
  }

  void vote_on_peers() {
    const bool may_accuse = on_winning_side(view_, self_.id, facts_.peers);
    for (const auto& m : view_.alive()) {
      if (may_accuse && suspected(m) && !has_voted(m, terms_.vote_expiry_us / 2))
        out_.push_back(vote_against{m.id()});
      else if (reached(facts_.peers, m.id()) && has_voted(m, terms_.vote_expiry_us))
        out_.push_back(withdraw_vote{m.id()});
    }
  }

  /// The lapsed by rising uuid, then the voted by falling: the smaller one stays.
  bool declare_one_dead() {
    if (!steady() || row_->status == member_status::joining)
      return false;
    auto alive = view_.alive();
    std::erase_if(alive, [&](const member& m) { return m.node_uuid == self_.id.node; });
    for (const auto& m : alive)
      if (!runs(m))
        return declare(m, death_reason::lapsed);
    if (!row_->active())
      return false;
    std::reverse(alive.begin(), alive.end());
    for (const auto& m : alive)
      if (voted_out(view_, m, facts_.votes, database_now_us_, terms_.vote_expiry_us))
        return declare(m, death_reason::voted);
    return false;
  }

  bool declare(const member& m, death_reason why) {
    out_.push_back(declare_dead{view_.version, m.id(), why, m.lease_until_us});
    return true;
  }

  bool suspected(const member& m) const {
    if (!m.active() || m.node_uuid == self_.id.node || !runs(m))
      return false;
    const auto* r = reading_of(facts_.peers, m.id());
    return r != nullptr && !r->reachable &&
           facts_.boot_now_us - r->since_us >= terms_.suspect_after_us;
  }

  bool has_voted(const member& m, std::int64_t within_us) const {
    return std::any_of(facts_.votes.begin(), facts_.votes.end(), [&](const vote& v) {
      return v.voter == self_.id && v.against == m.id() && fresh(v, database_now_us_, within_us);
    });
  }

  bool knows_shards() const { return facts_.shards.size() == shard_count; }

  bool owns_nothing() const {
    return std::none_of(facts_.shards.begin(), facts_.shards.end(),
                        [&](const shard_row& s) { return s.owner == self_.id; });
  }

  void move_shards() {
    if (!knows_shards() || row_->status == member_status::joining)
      return;
    const auto wanted = assign_shards(view_.active());
    if (auto shards = to_release(wanted); !shards.empty())
      out_.push_back(release{std::move(shards)});
    if (auto shards = to_take(wanted); !shards.empty())
      out_.push_back(take{std::move(shards)});
  }

  bool is_draining(shard_id shard) const {
    return std::find(self_.draining.begin(), self_.draining.end(), shard) != self_.draining.end();
  }

  std::vector<shard_id> to_release(const assignment& wanted) const {
    if (wanted.empty() && self_.wanted != wish::leave)
      return {};                        // nobody would take them
    std::map<uuid, std::size_t> moving; // by the member that is to take them
    for (shard_id s = 0; s < shard_count; ++s)
      if (facts_.shards[s].owner.node.is_nil() || is_draining(s))
        ++moving[wanted.owner(s)];
    std::vector<shard_id> out;
    for (shard_id s = 0; s < shard_count; ++s) {
      const auto to = wanted.owner(s);
      if (facts_.shards[s].owner != self_.id || to == self_.id.node || is_draining(s))
        continue;
      if (!wanted.empty()) {
        const auto* taker = view_.find(to);
        if (taker == nullptr || !runs(*taker) || moving[to] >= terms_.moving_at_once)
          continue;
        ++moving[to];
      }
      out.push_back(s); // the taker has room, or this is the last one to leave
    }
    return out;
  }

  std::vector<shard_id> to_take(const assignment& wanted) const {
    std::vector<shard_id> out;
    if (!row_->active())
      return out;
    for (shard_id s = 0; s < shard_count; ++s)
      if (wanted.owner(s) == self_.id.node && is_over(facts_.shards[s].owner))
        out.push_back(s);
    return out;
  }

  /// True if that incarnation may never act again. A lapsed one may, and one that was voted out may
  /// answer reads for as long as its last lease runs.
  bool is_over(const member_id& owner) const {
    if (owner.node.is_nil())
      return true;
    const auto* m = view_.find(owner.node);
    if (m == nullptr || m->incarnation > owner.incarnation)
      return true;
    if (m->incarnation != owner.incarnation)
      return false;
    return m->status == member_status::left || (m->status == member_status::dead && !runs(*m));
  }

  const view& view_;
  const observed& facts_;
  const self_state& self_;
  const membership_terms& terms_;
  const std::int64_t database_now_us_;
  const member* const row_;
  std::vector<action> out_;
};

} // namespace

bool lapsed(const member& m, std::int64_t database_now_us, std::int64_t ttl_us) {
  return m.lease_until_us <= database_now_us || m.lease_until_us > database_now_us + 2 * ttl_us;
}

bool on_winning_side(const view& now, const member_id& self,
                     const std::vector<peer_reading>& peers) {
  std::size_t active = 0;
  std::size_t side = 0;
  bool has_smallest = false;
  const auto smallest = now.coordinator();
  for (const auto& m : now.members) {
    if (!m.active())
      continue;
    ++active;
    if (m.id() != self && !reached(peers, m.id()))
      continue;
    ++side;
    has_smallest = has_smallest || m.node_uuid == smallest;
  }
  return 2 * side > active || (2 * side == active && active > 0 && has_smallest);
}

std::vector<action> step(const view& now, const observed& facts, const self_state& self,
                         const membership_terms& terms) {
  if (!facts.database_now_us)
    return {};
  return stepping(now, facts, self, terms).run();
}

} // namespace rahat::cluster
