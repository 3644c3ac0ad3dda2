#include "persistence/memory/memory_cluster.hpp"

#include <algorithm>
#include <set>

namespace rahat {

namespace {

using cluster::member_id;
using cluster::member_status;

constexpr std::pair<member_status, member_status> allowed[] = {
    {member_status::joining, member_status::active},
    {member_status::joining, member_status::left},
    {member_status::active, member_status::leaving},
    {member_status::leaving, member_status::active},
    {member_status::leaving, member_status::left},
    {member_status::active, member_status::left},
};

} // namespace

std::int64_t memory_cluster::clock_us() const {
  std::lock_guard guard{mutex_};
  return clock_us_;
}

void memory_cluster::advance_us(std::int64_t by_us) {
  std::lock_guard guard{mutex_};
  clock_us_ += by_us;
}

void memory_cluster::promote(std::string raw_generation) {
  std::lock_guard guard{mutex_};
  generation_ = std::move(raw_generation);
}

std::string memory_cluster::generation() const {
  std::lock_guard guard{mutex_};
  return generation_;
}

/// As lease_runs: one that lies further ahead than 2 x ttl was written before the clock was set.
bool memory_cluster::runs(const cluster::member& m, std::int64_t ttl_us) const {
  return m.lease_until_us > clock_us_ && m.lease_until_us <= clock_us_ + 2 * ttl_us;
}

memory_cluster::row* memory_cluster::find(const member_id& id) {
  const auto at = members_.find(id.node);
  return at == members_.end() || at->second.m.incarnation != id.incarnation ? nullptr : &at->second;
}

std::optional<error> memory_cluster::refusal(const enrolment& who, std::int64_t ttl_us) {
  if (feature_level_ > who.build_level)
    return error{errc::forbidden,
                 "the cluster is at feature level " + std::to_string(feature_level_) +
                     ", this build reads " + std::to_string(who.build_level),
                 "build_level"};
  if (!key_check_.empty() && key_check_ != who.key_check)
    return error{errc::forbidden, "this node has another master key than the cluster", "key_check"};
  const auto longest = std::max(ttl_us, ttl_us_);
  for (const auto& [node, other] : members_) {
    if (node == who.node || !other.m.alive() || !runs(other.m, longest))
      continue;
    if (ttl_us_ != 0 && ttl_us_ != ttl_us)
      return error{errc::forbidden,
                   "lease.ttl_ms is " + std::to_string(ttl_us / 1'000) + " here and " +
                       std::to_string(ttl_us_ / 1'000) + " in the cluster",
                   "ttl"};
    if (who.address.empty() || other.m.address.empty())
      return error{errc::forbidden,
                   "node " + other.who.name + " serves this database: give both a [cluster]",
                   "address"};
  }
  return std::nullopt;
}

std::variant<member_id, error> memory_cluster::enrol(const enrolment& who, std::int64_t ttl_us) {
  std::lock_guard guard{mutex_};
  if (auto why = refusal(who, ttl_us))
    return *why;
  auto& mine = members_[who.node];
  const auto incarnation = std::max(mine.m.incarnation + 1, who.least_incarnation);
  mine = {{.node_uuid = who.node,
           .incarnation = incarnation,
           .address = who.address,
           .port = who.port,
           .status = who.address.empty() ? member_status::active : member_status::joining,
           .lease_until_us = clock_us_ + ttl_us,
           .feature_level = feature_level_,
           .build_level = who.build_level,
           .name = who.name,
           .operators = who.operators,
           .build = who.build},
          who,
          ttl_us,
          false};
  std::erase_if(votes_, [&](const auto& v) {
    return v.first.first == who.node || v.first.second == who.node;
  });
  key_check_ = who.key_check;
  ttl_us_ = ttl_us;
  ++version_;
  return member_id{who.node, incarnation};
}

bool memory_cluster::renew(const member_id& me, std::int64_t ttl_us) {
  std::lock_guard guard{mutex_};
  auto* mine = find(me);
  if (mine == nullptr || !mine->m.alive())
    return false;
  mine->m.lease_until_us = clock_us_ + ttl_us;
  return true;
}

void memory_cluster::set_lease(const member_id& of, std::int64_t until_us) {
  std::lock_guard guard{mutex_};
  if (auto* r = find(of))
    r->m.lease_until_us = until_us;
}

void memory_cluster::age_votes(std::int64_t by_us) {
  std::lock_guard guard{mutex_};
  for (auto& [who, v] : votes_)
    v.written_us -= by_us;
}

void memory_cluster::set_generation(shard_id shard, std::string raw_generation) {
  std::lock_guard guard{mutex_};
  shards_.at(shard).generation = std::move(raw_generation);
}

void memory_cluster::open_session(const member_id& of, bool never_ends) {
  std::lock_guard guard{mutex_};
  sessions_.push_back({of, never_ends});
}

std::size_t memory_cluster::sessions(const member_id& of) const {
  std::lock_guard guard{mutex_};
  return static_cast<std::size_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [&](auto& s) { return s.of == of; }));
}

std::optional<int> memory_cluster::end_sessions(const member_id& upto) {
  std::lock_guard guard{mutex_};
  const auto theirs = [&](const session& s) {
    return s.of.node == upto.node && s.of.incarnation <= upto.incarnation;
  };
  const auto ended =
      std::erase_if(sessions_, [&](const session& s) { return theirs(s) && !s.never_ends; });
  if (std::any_of(sessions_.begin(), sessions_.end(), theirs))
    return std::nullopt;
  return static_cast<int>(ended);
}

cluster_reading memory_cluster::read(const uuid& self) const {
  std::lock_guard guard{mutex_};
  cluster_reading out;
  out.database_now_us = clock_us_;
  out.now.version = version_;
  out.now.feature_level = feature_level_;
  for (const auto& [node, r] : members_) {
    out.now.members.push_back(r.m);
    if (node == self)
      out.drain = r.drain;
  }
  for (const auto& [who, v] : votes_)
    out.votes.push_back(v);
  for (shard_id i = 0; i < shard_count; ++i)
    out.shards[i] = {shards_[i].owner, shards_[i].epoch, shards_[i].generation == generation_};
  return out;
}

std::variant<swap, error> memory_cluster::change(const member_id& me, member_status from,
                                                 member_status to, std::int64_t seen) {
  std::lock_guard guard{mutex_};
  if (std::find(std::begin(allowed), std::end(allowed), std::pair{from, to}) == std::end(allowed))
    return error{
        errc::invalid_input,
        "no member goes from " + std::string{to_string(from)} + " to " + std::string{to_string(to)},
        {}};
  if (seen != version_)
    return swap::stale;
  auto* mine = find(me);
  if (mine == nullptr || mine->m.status != from)
    return swap::refused;
  mine->m.status = to;
  if (to == member_status::left)
    mine->m.lease_until_us = clock_us_;
  ++version_;
  return swap::done;
}

swap memory_cluster::vote(const member_id& me, const member_id& against) {
  std::lock_guard guard{mutex_};
  const auto* mine = find(me);
  const auto* target = find(against);
  if (mine == nullptr || !mine->m.active() || !runs(mine->m, mine->ttl_us) || target == nullptr ||
      !target->m.active() || me.node == against.node)
    return swap::refused;
  votes_[{me.node, against.node}] = {me, against, clock_us_};
  return swap::done;
}

void memory_cluster::withdraw(const member_id& me, const member_id& against) {
  std::lock_guard guard{mutex_};
  const auto at = votes_.find({me.node, against.node});
  if (at != votes_.end() && at->second.voter == me && at->second.against == against)
    votes_.erase(at);
}

bool memory_cluster::enough_votes(const member_id& against) const {
  std::size_t active = 0;
  uuid smallest;
  for (const auto& [node, r] : members_) // by uuid
    if (r.m.active() && active++ == 0)
      smallest = node;
  std::set<uuid> voters;
  for (const auto& [who, v] : votes_) {
    const auto voter = members_.find(v.voter.node);
    const auto age = clock_us_ - v.written_us;
    if (v.against == against && voter != members_.end() && voter->second.m.id() == v.voter &&
        voter->second.m.active() && age <= terms_.vote_expiry_us && age >= -terms_.vote_expiry_us)
      voters.insert(v.voter.node);
  }
  return active == 2 ? voters.contains(smallest) : voters.size() >= cluster::votes_needed;
}

swap memory_cluster::declare(const member_id& me, const cluster::declare_dead& what) {
  std::lock_guard guard{mutex_};
  if (what.view_version != version_)
    return swap::stale;
  const auto* mine = find(me);
  if (mine == nullptr || me.node == what.peer.node || !runs(mine->m, mine->ttl_us) ||
      (!mine->m.active() && mine->m.status != member_status::leaving))
    return swap::refused;
  auto* target = find(what.peer);
  if (target == nullptr || !target->m.alive())
    return swap::refused;
  if (what.reason == cluster::death_reason::voted) {
    if (!mine->m.active() || !target->m.active() || !enough_votes(what.peer))
      return swap::refused;
  } else if (target->m.lease_until_us != what.lease_until_us || runs(target->m, mine->ttl_us)) {
    return swap::refused;
  }
  target->m.status = member_status::dead;
  std::erase_if(votes_, [&](const auto& v) {
    return v.first.first == what.peer.node || v.first.second == what.peer.node;
  });
  ++version_;
  return swap::done;
}

swap memory_cluster::wish(const uuid& node, bool drain) {
  std::lock_guard guard{mutex_};
  const auto at = members_.find(node);
  if (at == members_.end() || !at->second.m.alive())
    return swap::refused;
  at->second.drain = drain;
  return swap::done;
}

std::string memory_cluster::raise_level(std::int32_t to) {
  std::lock_guard guard{mutex_};
  if (to <= feature_level_)
    return {};
  std::string behind;
  for (const auto& [node, r] : members_)
    if (r.m.alive() && r.m.build_level < to)
      behind += (behind.empty() ? "behind: " : ", ") + r.who.name + " (" + r.who.build +
                ", level " + std::to_string(r.m.build_level) + ")";
  if (!behind.empty())
    return behind;
  feature_level_ = to;
  ++version_;
  return {};
}

/// May never act again, and cannot answer reads under a lease that still runs.
bool memory_cluster::gone(const member_id& owner, std::int64_t ttl_us) {
  const auto* r = find(owner);
  if (r == nullptr)
    return true;
  return !r->m.alive() && !(r->m.status == member_status::dead && runs(r->m, ttl_us));
}

std::optional<shard_grant> memory_cluster::take(const member_id& me, shard_id shard,
                                                const std::string& as_generation) {
  std::lock_guard guard{mutex_};
  auto& s = shards_.at(shard);
  const auto* mine = find(me);
  if (mine == nullptr || !runs(mine->m, mine->ttl_us))
    return std::nullopt;
  const bool takes_back = mine->m.status == member_status::leaving && s.owner == me;
  if (!mine->m.active() && !takes_back)
    return std::nullopt;
  const bool own = s.owner.node == me.node && s.owner.incarnation <= me.incarnation;
  if (!s.owner.node.is_nil() && s.generation == as_generation && !own &&
      !gone(s.owner, mine->ttl_us))
    return std::nullopt;
  s.owner = me;
  s.generation = as_generation;
  ++s.epoch;
  return shard_grant{shard, s.epoch, s.head_position, s.head_hash};
}

swap memory_cluster::release(const member_id& me, const shard_grant& given,
                             const std::string& as_generation) {
  std::lock_guard guard{mutex_};
  auto& s = shards_.at(given.shard);
  if (s.owner != me || s.generation != as_generation || s.epoch != given.epoch ||
      s.head_position != given.head_position)
    return swap::refused;
  s.owner = {};
  return swap::done;
}

bool memory_cluster::move_head(shard_id shard, std::int64_t epoch, std::int64_t head_position) {
  std::lock_guard guard{mutex_};
  auto& s = shards_.at(shard);
  if (s.epoch != epoch)
    return false;
  s.head_position = head_position;
  return true;
}

} // namespace rahat
