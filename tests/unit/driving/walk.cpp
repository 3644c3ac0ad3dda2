#include "tests/unit/driving/walk.hpp"

#include "runtime/cluster/assignment.hpp"

#include <algorithm>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;
using cluster::member_id;

constexpr std::int64_t ttl_us = 3'000'000;
constexpr auto one_turn = 25ms;
constexpr std::size_t most_broken = 5;

} // namespace

// -- a node -----------------------------------------------------------------------------------

walking_node::walking_node(member_id me, std::shared_ptr<memory_cluster> database, hand_clock& time,
                           seeded_random& dice, walk_counts& counts)
    : id(me), database_(std::move(database)), time_(time), dice_(dice), counts_(counts) {
  tables = std::make_unique<memory_membership>(
      database_, id, memory_membership_options{.mode = memory_membership_options::drive::manual});
  moves = std::make_unique<cluster::mover>(cluster::mover::dependencies{
      .self = id,
      .db = *tables,
      .writers = *this,
      .hosts = *this,
      .owners = owners_,
      .time = time_,
      .probe = *this,
      .prepare = [this](shard_id, std::function<void()> then) { preparing_.push_back(then); },
      .opened = [](shard_id) {},
      .taken = [](shard_id, std::int64_t) {},
      .released = [](shard_id, std::int64_t) {},
      .read_soon = [this] { hand->read_soon(); }});
  hand = std::make_unique<cluster::pilot>(
      cluster::pilot::dependencies{.self = id,
                                   .build_level = 1,
                                   .db = *tables,
                                   .right = *this,
                                   .time = time_,
                                   .moves = *moves,
                                   .owners = owners_,
                                   .probe = probe_,
                                   .beating = [] { return true; },
                                   .viewed = [](auto, bool) {},
                                   .owners_changed = [] {},
                                   .stop = [this](cluster::stop_reason) { over = true; }});
  database_->open_session(id);
}

walking_node::~walking_node() {
  hand->stop();
  moves->stop();
}

std::unique_ptr<memory_membership> walking_node::crash() {
  hand->stop();
  moves->stop();
  return std::move(tables);
}

void walking_node::turn() {
  tables->away(away);
  if (!away && time_.boot_us() - renewed_us_ >= 1'000'000)
    renew();
  moves->tick();
  hand->tick();
  for (auto n = dice_.less_than(4); n > 0; --n)
    tables->run_one();
  for (auto n = dice_.less_than(30); n > 0; --n)
    tables->run_move();
  if (chance(2))
    tables->run_ending();
  for (auto n = dice_.less_than(20); n > 0 && !preparing_.empty(); --n) {
    auto then = std::move(preparing_.front());
    preparing_.erase(preparing_.begin());
    then();
  }
  work_hosts();
  for (auto n = dice_.less_than(40); n > 0; --n)
    write_one();
}

void walking_node::renew() {
  const auto sent = time_.boot_us();
  if (database_->renew(id, ttl_us))
    deadline_.confirmed(sent, database_->clock_us());
  renewed_us_ = sent;
}

bool walking_node::valid() const {
  return deadline_.serving(time_.boot_us());
}

std::optional<std::int64_t> walking_node::steady_since_us() const {
  return deadline_.steady_since_us(time_.boot_us());
}

std::int64_t walking_node::clock_offset_us() const {
  return deadline_.clock_offset_us();
}

void walking_node::work_hosts() {
  for (shard_id i = 0; i < shard_count; ++i) {
    auto& s = shards[i];
    if (s.drained && !s.stuck && chance(6)) {
      s.open = false;
      std::exchange(s.drained, nullptr)();
    } else if (s.open && !s.drained && chance(50)) {
      letters_.push_back({i, {}, 0, {}});
    }
  }
}

/// In order, as the writers do. While the database is away the first one waits.
void walking_node::write_one() {
  if (letters_.empty() || away)
    return;
  auto next = std::move(letters_.front());
  letters_.pop_front();
  auto& h = heads_[next.shard];
  if (next.adopted) {
    h = {true, *next.adopted};
  } else if (!next.leaving) {
    commit(next.shard, h);
  } else if (h.owned && h.at.epoch == next.epoch) {
    h.owned = false;
    next.leaving(h.at);
  } else {
    next.leaving(error{errc::moved, "another node has taken it", {}});
  }
}

void walking_node::commit(shard_id shard, head& to) {
  if (!to.owned)
    return;
  if (database_->move_head(shard, to.at.epoch, to.at.head_position + 1)) {
    ++to.at.head_position;
  } else {
    to.owned = false;
    moves->fenced({{shard, to.at.epoch}});
  }
}

void walking_node::adopt(const shard_grant& shard) {
  letters_.push_back({shard.shard, shard, 0, {}});
  shards[shard.shard].epoch = shard.epoch;
}

void walking_node::give_up(shard_id shard, std::int64_t epoch,
                           std::function<void(std::variant<shard_grant, error>)> done) {
  letters_.push_back({shard, {}, epoch, std::move(done)});
}

void walking_node::open(shard_id shard) {
  shards[shard].open = true;
  shards[shard].stuck = chance(20);
}

void walking_node::hand_over(shard_id shard, std::function<void()> done) {
  shards[shard].drained = std::move(done);
}

void walking_node::drop(shard_id shard) {
  shards[shard].open = false;
  if (auto done = std::exchange(shards[shard].drained, nullptr))
    done();
}

void walking_node::shard_taken(shard_id, bool of_the_dead) {
  ++counts_.taken;
  counts_.of_the_dead += of_the_dead ? 1 : 0;
}

// -- all of them ------------------------------------------------------------------------------

walk::walk(std::uint64_t seed, std::uint8_t nodes, walk_counts& counts)
    : dice_(seed), counts_(counts), database_(std::make_shared<memory_cluster>(time_.now_us())) {
  seats_.resize(nodes);
  for (std::uint8_t n = 0; n < nodes; ++n) {
    seats_[n].who.node.bytes[15] = n;
    seats_[n].who.node.bytes[0] = 1;
    seats_[n].who.address = "10.0.0." + std::to_string(n);
    start(seats_[n]);
  }
}

walk::~walk() {
  for (auto& s : seats_)
    if (s.node)
      stop(s);
  for (auto& tables : ghosts_)
    tables->stop();
}

void walk::start(seat& s) {
  auto me = database_->enrol(s.who, ttl_us);
  s.node =
      std::make_unique<walking_node>(std::get<member_id>(me), database_, time_, dice_, counts_);
  s.node->renew();
  s.drained = false; // a new start of the node wants to belong
}

void walk::stop(seat& s) {
  ghosts_.push_back(s.node->crash());
  s.node.reset();
  s.starts_us = time_.boot_us() + static_cast<std::int64_t>(dice_.less_than(5'000'000));
}

void walk::run(std::chrono::milliseconds time, bool faults) {
  for (auto turns = time / one_turn; turns > 0 && broken.size() < most_broken; --turns) {
    time_.pass(one_turn);
    database_->advance_us(std::chrono::microseconds(one_turn).count());
    if (faults && dice_.less_than(20) == 0)
      misfortune();
    for (auto& tables : ghosts_) {
      dice_.less_than(2) == 0 ? tables->run_move() : tables->run_one();
      tables->run_ending();
    }
    for (auto& s : seats_) {
      if (!s.node && time_.boot_us() >= s.starts_us)
        start(s);
      if (!s.node || s.node->paused_until_us > time_.boot_us())
        continue;
      for (auto& peer : seats_)
        if (peer.node && &peer != &s)
          s.node->hand->peer(peer.node->id, peer.node->paused_until_us <= time_.boot_us());
      s.node->turn();
      if (s.node->over) {
        ++counts_.ended;
        stop(s);
      }
    }
    check();
  }
}

void walk::misfortune() {
  auto& s = seats_[dice_.less_than(seats_.size())];
  if (!s.node)
    return;
  switch (dice_.less_than(8)) {
    case 0:
    case 1:
      s.node->tables->lose_answers(1 + static_cast<std::uint32_t>(dice_.less_than(4)));
      ++counts_.lost;
      break;
    case 2: s.node->tables->slow(static_cast<std::uint32_t>(dice_.less_than(40))); break;
    case 3: s.node->tables->slow(0); break;
    case 4: s.node->away = !s.node->away; break;
    case 5:
      s.node->paused_until_us =
          time_.boot_us() + static_cast<std::int64_t>(dice_.less_than(6'000'000));
      ++counts_.paused;
      break;
    case 6:
      s.drained = !s.drained;
      database_->wish(s.who.node, s.drained);
      ++counts_.drains;
      break;
    case 7:
      if (dice_.less_than(3) == 0)
        stop(s);
      break;
  }
}

void walk::heal() {
  for (auto& s : seats_) {
    database_->wish(s.who.node, false);
    s.drained = false;
    if (!s.node)
      continue;
    s.node->away = false;
    s.node->paused_until_us = 0;
    s.node->tables->slow(0);
    s.node->tables->lose_answers(0);
  }
}

/// Whose hosts run in a shard owns its row, unless its incarnation was ended: then it may not have
/// heard of it yet, but its epoch is a former one.
void walk::check() {
  const auto rows = database_->read({});
  for (shard_id i = 0; i < shard_count; ++i) {
    std::vector<std::int64_t> epochs;
    for (auto& s : seats_) {
      if (!s.node || !s.node->shards[i].open)
        continue;
      const auto epoch = s.node->shards[i].epoch;
      const auto what = "shard " + std::to_string(i) + " at " + s.node->id.str();
      if (std::count(epochs.begin(), epochs.end(), epoch) > 0)
        broken.push_back(what + " is open twice under epoch " + std::to_string(epoch));
      epochs.push_back(epoch);
      const auto* row = rows.now.find(s.node->id);
      const bool alive = row != nullptr && row->alive();
      const auto& place = rows.shards[i];
      if (alive && (place.owner != s.node->id || place.epoch != epoch))
        broken.push_back(what + " is open under epoch " + std::to_string(epoch) +
                         ", its row says " + place.owner.str() + " epoch " +
                         std::to_string(place.epoch));
      if (epoch > place.epoch)
        broken.push_back(what + " is open under an epoch that there never was");
    }
  }
}

std::string walk::unsettled() const {
  const auto rows = database_->read({});
  if (rows.now.active().size() != seats_.size())
    return "not all are active: " + rows.now.str();
  const auto wanted = cluster::assign_shards(rows.now.active());
  for (shard_id i = 0; i < shard_count; ++i)
    for (auto& s : seats_) {
      if (!s.node)
        return "one does not run";
      const bool here = wanted.owner(i) == s.node->id.node;
      const auto phase = s.node->moves->phase(i);
      if (s.node->shards[i].open != here ||
          phase != (here ? cluster::shard_phase::open : cluster::shard_phase::away) ||
          (here &&
           (rows.shards[i].owner != s.node->id || rows.shards[i].epoch != s.node->shards[i].epoch)))
        return "shard " + std::to_string(i) + " is " + std::string{to_string(phase)} + " at " +
               s.node->id.str() + (here ? ", where it belongs" : "") + "; its row says " +
               rows.shards[i].owner.str() + " epoch " + std::to_string(rows.shards[i].epoch);
    }
  return {};
}

} // namespace rahat::test
