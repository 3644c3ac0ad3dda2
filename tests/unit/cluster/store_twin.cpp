#include "tests/unit/cluster/store_twin.hpp"

namespace rahat::cluster {

bool store_twin::refuse() {
  ++refused;
  return false;
}

member* store_twin::find(const member_id& id) {
  for (auto& m : now_.members)
    if (m.id() == id)
      return &m;
  return nullptr;
}

bool store_twin::may_act(const member_id& me) {
  const auto* m = find(me);
  return m != nullptr && m->alive();
}

void store_twin::set(member& m, member_status to) {
  if (over_.contains(m.id()))
    broken.push_back(m.id().str() + " is over and became " + std::string(to_string(to)));
  m.status = to;
  if (!m.alive())
    over_[m.id()] = true;
  ++now_.version;
}

std::optional<std::int64_t> store_twin::join(const uuid& node, std::int64_t version) {
  if (version != now_.version) {
    refuse();
    return std::nullopt;
  }
  std::erase_if(votes_, [&](const vote& v) { return v.voter.node == node; });
  std::int64_t incarnation = 1;
  for (auto& m : now_.members) {
    if (m.node_uuid != node)
      continue;
    incarnation = m.incarnation + 1;
    over_[m.id()] = true;
  }
  std::erase_if(now_.members, [&](const member& m) { return m.node_uuid == node; });
  now_.members.push_back({.node_uuid = node,
                          .incarnation = incarnation,
                          .address = {},
                          .port = 0,
                          .status = member_status::joining,
                          .lease_until_us = clock_us + ttl_us_,
                          .feature_level = 1,
                          .build_level = 1});
  ++now_.version;
  return incarnation;
}

bool store_twin::renew(const member_id& me) {
  if (!may_act(me))
    return refuse();
  find(me)->lease_until_us = clock_us + ttl_us_;
  return true;
}

bool store_twin::change(const member_id& me, std::int64_t version, member_status from,
                        member_status to) {
  auto* m = find(me);
  if (version != now_.version || m == nullptr || m->status != from)
    return refuse();
  set(*m, to);
  return true;
}

bool store_twin::activate(const member_id& me, std::int64_t version) {
  return change(me, version, member_status::joining, member_status::active);
}

bool store_twin::begin_leave(const member_id& me, std::int64_t version) {
  return change(me, version, member_status::active, member_status::leaving);
}

bool store_twin::stay(const member_id& me, std::int64_t version) {
  return change(me, version, member_status::leaving, member_status::active);
}

bool store_twin::leave(const member_id& me, std::int64_t version) {
  for (const auto& s : shards_)
    if (s.owner == me)
      broken.push_back(me.str() + " left with a shard");
  const auto* m = find(me);
  const bool joining = m != nullptr && m->status == member_status::joining;
  return change(me, version, joining ? member_status::joining : member_status::leaving,
                member_status::left);
}

bool store_twin::vote_against(const member_id& me, const member_id& peer) {
  const auto* voter = find(me);
  const auto* target = find(peer);
  if (voter == nullptr || !voter->active() || target == nullptr || !target->active())
    return refuse();
  withdraw(me, peer);
  votes_.push_back({me, peer, clock_us});
  return true;
}

void store_twin::withdraw(const member_id& me, const member_id& peer) {
  std::erase_if(votes_, [&](const vote& v) { return v.voter == me && v.against == peer; });
}

bool store_twin::declare(const member_id& me, const declare_dead& what) {
  auto* target = find(what.peer);
  if (what.view_version != now_.version || !may_act(me) || target == nullptr || !target->alive())
    return refuse();
  if (what.reason == death_reason::lapsed && target->lease_until_us != what.lease_until_us)
    return refuse();
  set(*target, member_status::dead);
  return true;
}

bool store_twin::release(const member_id& me, shard_id shard) {
  if (shards_[shard].owner != me)
    return refuse();
  shards_[shard].owner = {};
  return true;
}

bool store_twin::take(const member_id& me, shard_id shard) {
  const auto& owner = shards_[shard].owner;
  const auto* m = find(me);
  if (m == nullptr || !m->active() || (!owner.node.is_nil() && may_act(owner)))
    return refuse();
  shards_[shard].owner = me;
  return true;
}

} // namespace rahat::cluster
