#include "tests/unit/cluster/world.hpp"

namespace rahat::cluster {

namespace {

constexpr std::int64_t tick_us = 50'000;
constexpr std::int64_t look_every_us = 250'000;
constexpr std::int64_t probe_every_us = 500'000;

// In a cut that has lasted for so long everything that was seen and voted before it is forgotten.
constexpr std::int64_t calm_us = 12 * second;

// Whoever was well for so long has renewed its lease several times.
constexpr std::int64_t well_us = 4 * second;

} // namespace

world::world(std::uint64_t seed, std::uint8_t nodes)
    : store(membership_terms{}.ttl_us), dice_(seed), nodes_(nodes) {
  for (std::size_t n = 0; n < nodes; ++n)
    start(n);
  heal();
}

void world::start(std::size_t n) {
  const auto keep = nodes_[n].store_reached;
  nodes_[n] = {};
  nodes_[n].store_reached = keep;
  nodes_[n].id.node = node(static_cast<std::uint8_t>(n + 1));
  nodes_[n].next_look_us = time_us_ + static_cast<std::int64_t>(dice(look_every_us));
  nodes_[n].well_since_us = time_us_;
}

void world::stop(std::size_t n) {
  nodes_[n].running = false;
  nodes_[n].start_us = time_us_ + static_cast<std::int64_t>(1 + dice(4)) * second;
  std::erase_if(nodes_[n].statements, [](const statement& s) { return !s.under_way; });
}

void world::unwell(std::size_t n) {
  nodes_[n].well_since_us = time_us_;
  changed();
}

void world::heal() {
  group_of_.assign(nodes_.size(), 0);
  cut_.assign(nodes_.size(), std::vector<bool>(nodes_.size()));
  one_way_cuts_ = false;
  for (auto& n : nodes_) {
    if (!n.store_reached)
      n.well_since_us = std::max(n.well_since_us, time_us_);
    n.store_reached = true;
  }
  changed();
}

void world::cut_groups(const std::vector<std::uint8_t>& group_of) {
  group_of_ = group_of;
  changed();
}

void world::cut_one_way(std::uint8_t from, std::uint8_t to) {
  cut_[from][to] = true;
  one_way_cuts_ = true;
  changed();
}

void world::cut_store(std::uint8_t n) {
  nodes_[n].store_reached = false;
  unwell(n);
}

void world::pause(std::uint8_t n, std::int64_t for_us) {
  nodes_[n].paused_until_us = time_us_ + for_us;
  nodes_[n].well_since_us = nodes_[n].paused_until_us;
  changed();
}

void world::crash(std::uint8_t n) {
  if (!nodes_[n].running)
    return;
  stop(n);
  unwell(n);
}

void world::leave(std::uint8_t n) {
  nodes_[n].wanted = wish::leave;
  changed();
}

void world::drain(std::uint8_t n) {
  nodes_[n].wanted = wish::drain;
  changed();
}

void world::outage(std::int64_t for_us) {
  outage_until_us_ = time_us_ + for_us;
  changed();
}

void world::set_database_clock(std::int64_t by_us) {
  database_offset_us_ += by_us;
  clock_set_us_ = time_us_;
  changed();
}

void world::run(std::int64_t for_us) {
  for (const auto end = time_us_ + for_us; time_us_ < end;)
    tick();
}

void world::tick() {
  time_us_ += tick_us;
  store.clock_us = time_us_ + database_offset_us_;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    auto& me = nodes_[n];
    if (!me.running && me.start_us <= time_us_)
      start(n);
    perform(n);
    const bool look_first = dice(2) == 0; // on waking nobody knows what comes first
    for (int i = 0; i < 2; ++i) {
      if (!awake(me))
        break;
      if ((i == 0) == look_first && me.next_look_us <= time_us_)
        look(n);
      else if ((i == 0) != look_first && me.next_probe_us <= time_us_)
        probe(n);
    }
  }
}

void world::probe(std::size_t n) {
  auto& me = nodes_[n];
  me.next_probe_us = time_us_ + probe_every_us;
  std::vector<peer_reading> next;
  for (const auto& m : me.last_view.alive()) {
    const std::size_t other = m.node_uuid.bytes[15] - 1u;
    if (other == n)
      continue;
    const bool reachable = group_of_[n] == group_of_[other] && !cut_[n][other] && !cut_[other][n] &&
                           awake(nodes_[other]) && nodes_[other].id == m.id();
    next.push_back({m.id(), reachable, boot(n)});
    for (const auto& former : me.readings)
      if (former.peer == m.id() && former.reachable == reachable)
        next.back().since_us = former.since_us;
  }
  me.readings = std::move(next);
}

void world::look(std::size_t n) {
  auto& me = nodes_[n];
  me.next_look_us = time_us_ + look_every_us;
  observed facts{.database_now_us = std::nullopt,
                 .boot_now_us = boot(n),
                 .peers = me.readings,
                 .votes = store.votes(),
                 .shards = store.shards()};
  if (reaches_store(me)) {
    me.last_view = store.now();
    facts.database_now_us = store.clock_us;
  }
  const self_state self{.id = me.id,
                        .build_level = 1,
                        .wanted = me.wanted,
                        .beating = true,
                        .serving = me.deadline.serving(boot(n)),
                        .steady_since_us = me.deadline.steady_since_us(boot(n)),
                        .clock_offset_us = me.deadline.clock_offset_us(),
                        .draining = me.draining};
  const auto all = step(me.last_view, facts, self);
  const auto* row = me.last_view.find(me.id);
  if (row != nullptr && !row->alive() && facts.database_now_us &&
      (all.size() != 1 || !std::holds_alternative<stop_self>(all.front())))
    broken.push_back(me.id.str() + " read that it is over and went on");
  if (!facts.database_now_us && !all.empty())
    broken.push_back(me.id.str() + " acted on stale facts");
  for (const auto& a : all)
    send(n, a);
}

void world::send(std::size_t n, const action& what) {
  auto& me = nodes_[n];
  if (std::holds_alternative<stop_self>(what)) {
    const auto* row = me.last_view.find(me.id);
    seen.left += row != nullptr && row->status == member_status::left ? 1 : 0;
    ++seen.stopped;
    stop(n);
    return;
  }
  const auto due = time_us_ + static_cast<std::int64_t>(dice(4)) * tick_us;
  const bool under_way = dice(2) == 0;
  if (const auto* r = std::get_if<release>(&what)) {
    me.draining.insert(me.draining.end(), r->shards.begin(), r->shards.end());
    for (auto shard : r->shards)
      me.statements.push_back({due, boot(n), under_way, what, shard});
    return;
  }
  me.statements.push_back({due, boot(n), under_way, what});
}

void world::perform(std::size_t n) {
  auto& me = nodes_[n];
  for (auto left = me.statements.size(); left > 0; --left) {
    const auto s = me.statements.front();
    me.statements.pop_front();
    const bool lands = s.due_us <= time_us_ && (s.under_way || awake(me));
    if (!lands) {
      me.statements.push_back(s);
      continue;
    }
    if (!s.under_way && !reaches_store(me)) {
      std::erase(me.draining, s.shard);
      continue; // the connection is gone
    }
    seen.late += boot(n) - s.sent_us > second ? 1 : 0;
    carry_out(n, s, reaches_store(me) && me.running);
  }
}

void world::carry_out(std::size_t n, const statement& s, bool answered) {
  auto& me = nodes_[n];
  if (const auto* j = std::get_if<join>(&s.what)) {
    const auto incarnation = store.join(me.id.node, j->view_version);
    if (answered && incarnation && me.id.incarnation == 0) {
      me.id.incarnation = *incarnation;
      me.deadline.confirmed(s.sent_us, store.clock_us);
    }
    return;
  }
  const bool done = apply(n, s);
  if (std::holds_alternative<release>(s.what))
    std::erase(me.draining, s.shard);
  if (std::holds_alternative<renew_lease>(s.what) && done && answered)
    me.deadline.confirmed(s.sent_us, store.clock_us);
}

bool world::apply(std::size_t n, const statement& s) {
  const auto me = nodes_[n].id;
  if (std::holds_alternative<renew_lease>(s.what))
    return store.renew(me);
  if (const auto* a = std::get_if<activate>(&s.what))
    return store.activate(me, a->view_version);
  if (const auto* a = std::get_if<begin_leave>(&s.what))
    return store.begin_leave(me, a->view_version);
  if (const auto* a = std::get_if<stay>(&s.what))
    return store.stay(me, a->view_version);
  if (const auto* a = std::get_if<cluster::leave>(&s.what))
    return store.leave(me, a->view_version);
  if (const auto* a = std::get_if<vote_against>(&s.what))
    return store.vote_against(me, a->peer);
  if (const auto* a = std::get_if<withdraw_vote>(&s.what))
    store.withdraw(me, a->peer);
  if (std::holds_alternative<release>(s.what))
    return store.release(me, s.shard);
  if (const auto* a = std::get_if<take>(&s.what))
    check_take(n, *a);
  if (const auto* a = std::get_if<declare_dead>(&s.what)) {
    const auto before = store.now();
    if (store.declare(me, *a))
      check_death(*a);
  }
  return true;
}

void world::check_take(std::size_t n, const take& what) {
  for (auto shard : what.shards) {
    const auto former = store.shards()[shard].owner;
    if (!store.take(nodes_[n].id, shard) || former.node.is_nil())
      continue;
    const std::size_t other = former.node.bytes[15] - 1u;
    const bool same_clock = time_us_ - clock_set_us_ > membership_terms{}.ttl_us;
    if (same_clock && nodes_[other].running && nodes_[other].id == former &&
        nodes_[other].deadline.serving(boot(other)))
      broken.push_back(former.str() + " still served when its shard was taken");
  }
}

void world::check_death(const declare_dead& what) {
  const std::size_t x = what.peer.node.bytes[15] - 1u;
  (what.reason == death_reason::lapsed ? seen.lapsed : seen.voted) += 1;
  if (what.reason == death_reason::lapsed) {
    const auto well_for_us =
        time_us_ - std::max({nodes_[x].well_since_us, calm_since_us_, outage_until_us_});
    if (nodes_[x].running && nodes_[x].store_reached && nodes_[x].id == what.peer &&
        well_for_us >= well_us)
      broken.push_back(what.peer.str() + " was well and was declared lapsed");
    return;
  }
  if (store.now().active().empty())
    broken.push_back("the last active member was voted out");
  if (one_way_cuts_ || time_us_ - calm_since_us_ < calm_us)
    return;
  std::size_t with = 1; // x itself was active until now
  std::size_t active = 1;
  for (const auto& id : store.now().active()) {
    const std::size_t other = id.bytes[15] - 1u;
    ++active;
    with += group_of_[other] == group_of_[x] && awake(nodes_[other]) ? 1 : 0;
  }
  if (awake(nodes_[x]) && 2 * with > active)
    broken.push_back(what.peer.str() + " was voted out of the larger side");
}

bool world::settled() const {
  for (const auto& n : nodes_) {
    const auto* row = store.now().find(n.id);
    if (!awake(n) || n.wanted != wish::belong || row == nullptr || !row->active() ||
        !agree(n.last_view, store.now()))
      return false;
  }
  const auto wanted = assign_shards(store.now().active());
  for (shard_id s = 0; s < shard_count; ++s)
    if (store.shards()[s].owner.node != wanted.owner(s) ||
        store.now().find(store.shards()[s].owner) == nullptr)
      return false;
  return true;
}

std::string world::str() const {
  std::string out = store.now().str();
  for (const auto& n : nodes_)
    out += "\n  " + n.id.str() + (awake(n) ? " awake" : " away") +
           (reaches_store(n) ? "" : " without store");
  return out;
}

} // namespace rahat::cluster
