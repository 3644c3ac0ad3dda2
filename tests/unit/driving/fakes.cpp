#include "tests/unit/driving/fakes.hpp"

#include <algorithm>

namespace rahat::test {

using cluster::shard_phase;

void fake_tables::read(callback<cluster_reading> done) {
  reads.push_back(std::move(done));
  called("read");
}

void fake_tables::change(cluster::member_status from, cluster::member_status to, std::string,
                         std::int64_t, callback<swap> done) {
  changes.emplace_back(std::string{to_string(from)} + " -> " + std::string{to_string(to)},
                       std::move(done));
  called("change");
}

void fake_tables::vote(const cluster::member_id&, callback<swap> done) {
  changes.emplace_back("vote", std::move(done));
  called("vote");
}

void fake_tables::withdraw(const cluster::member_id&, callback<swap> done) {
  changes.emplace_back("withdraw", std::move(done));
  called("withdraw");
}

void fake_tables::declare(const cluster::declare_dead&, callback<swap> done) {
  changes.emplace_back("declare", std::move(done));
  called("declare");
}

void fake_tables::wish(const uuid&, bool, callback<swap> done) {
  changes.emplace_back("wish", std::move(done));
  called("wish");
}

void fake_tables::raise_level(std::int32_t, callback<std::string> done) {
  called("raise_level");
  done(std::string{});
}

void fake_tables::end_sessions(const cluster::member_id& former, callback<int> done) {
  ends.emplace_back(former, std::move(done));
  called("end_sessions");
}

void fake_tables::take(shard_id shard, callback<std::optional<shard_grant>> done) {
  takes.emplace_back(shard, std::move(done));
  called("take");
}

void fake_tables::release(const shard_grant& as_given_up, callback<swap> done) {
  releases.emplace_back(as_given_up, std::move(done));
  called("release");
}

void fake_writers::adopt(const shard_grant& shard) {
  adopted[shard.shard] = shard;
  called("adopt");
}

void fake_writers::give_up(shard_id shard, std::int64_t epoch,
                           std::function<void(std::variant<shard_grant, error>)> done) {
  given_up.emplace_back(shard, std::move(done));
  given_up_epochs.push_back(epoch);
  called("give_up");
}

void fake_hosts::open(shard_id) {
  called("open");
}

void fake_hosts::hand_over(shard_id shard, std::function<void()> done) {
  handed_over.emplace_back(shard, std::move(done));
  called("hand_over");
}

void fake_hosts::drop(shard_id shard) {
  called("drop");
  if (!drop_tells)
    return;
  auto of_shard = [shard](auto& h) { return h.first == shard; };
  auto at = std::find_if(handed_over.begin(), handed_over.end(), of_shard);
  if (at == handed_over.end())
    return;
  auto done = std::move(at->second);
  handed_over.erase(at);
  done();
}

// -- the scene ----------------------------------------------------------------------------

namespace {

cluster::member_id numbered(std::uint8_t n) {
  cluster::member_id id;
  id.node.bytes[15] = n;
  id.incarnation = 1;
  return id;
}

} // namespace

const cluster::member_id mover_scene::me = numbered(1);
const cluster::member_id mover_scene::other = numbered(2);

mover_scene::mover_scene(cluster::mover_limits limits) {
  seen.now.version = 1;
  seen.now.members.resize(2);
  seen.now.members[0].node_uuid = me.node;
  seen.now.members[1].node_uuid = other.node;
  for (auto& m : seen.now.members)
    m.incarnation = 1;
  seen.now.members[0].status = cluster::member_status::active;
  seen.now.members[1].status = cluster::member_status::dead;
  auto asked = [this](const std::string& what) { events.push_back(what); };
  tables.called = writers.called = hosts.called = asked;
  auto say = [this](const char* what) {
    return [this, what](shard_id, std::int64_t) { told.push_back(what); };
  };
  moves = std::make_unique<cluster::mover>(
      cluster::mover::dependencies{.self = me,
                                   .db = tables,
                                   .writers = writers,
                                   .hosts = hosts,
                                   .owners = owners,
                                   .time = time,
                                   .probe = probe,
                                   .prepare =
                                       [this](shard_id shard, std::function<void()> then) {
                                         preparing.emplace_back(shard, std::move(then));
                                         events.push_back("read_parked");
                                       },
                                   .opened = [this](shard_id) { events.push_back("wake"); },
                                   .taken = say("taken"),
                                   .released = say("released"),
                                   .read_soon = [this] { told.push_back("read_rows"); },
                                   .limits = limits});
}

void mover_scene::bring(shard_id shard, shard_phase to) {
  if (to == shard_phase::away)
    return;
  if (to == shard_phase::ending)
    seen.shards[shard] = {other, 3};
  moves->take({shard}, seen);
  if (to <= shard_phase::taking)
    return;
  tables.takes.back().second(shard_grant{shard, 5, 70, {}});
  if (to > shard_phase::opening)
    preparing.back().second();
  if (to > shard_phase::open)
    moves->release({shard});
  if (to > shard_phase::draining)
    hosts.handed_over.back().second();
  if (to > shard_phase::giving_up)
    writers.given_up.back().second(shard_grant{shard, 5, 72, {}});
}

void mover_scene::tick_after(std::chrono::milliseconds passed) {
  time.pass(passed);
  moves->tick();
}

void mover_scene::row(shard_id shard, cluster::member_id owner, std::int64_t epoch) {
  seen.shards[shard] = {owner, epoch};
  moves->rows_read(seen);
}

void mover_scene::forget() {
  events.clear();
  told.clear();
}

void mover_scene::counting::shard_taken(shard_id, bool of_the_dead) {
  ++scene.counted[of_the_dead ? "taken of the dead" : "taken"];
}

void mover_scene::counting::shard_released(shard_id, double after) {
  ++scene.counted["released"];
  seconds = after;
}

void mover_scene::counting::shard_fenced(shard_id) {
  ++scene.counted["fenced"];
}

void mover_scene::counting::drain_cut_short(shard_id) {
  scene.told.push_back("cut_short");
}

void mover_scene::counting::sessions_ended(const cluster::member_id&, int how_many) {
  scene.counted["sessions"] += how_many;
}

void mover_scene::counting::sessions_stay(const cluster::member_id&, const std::string&) {
  scene.told.push_back("sessions_do_not_end");
}

} // namespace rahat::test
