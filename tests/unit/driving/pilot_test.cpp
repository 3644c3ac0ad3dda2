#include "runtime/cluster/driving/pilot.hpp"

#include "tests/unit/cluster/scene.hpp"
#include "tests/unit/driving/fakes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using cluster::node;
using cluster::stop_reason;
using cluster::wish;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The pilot of node 1 among fakes. `look` is what a reading answers: a healthy cluster in which
/// nothing is due, until the test changes it.
class cockpit {
public:
  explicit cockpit(std::uint8_t size = 3) : look(size) {
    right.steady = time.boot_us() - 60 * cluster::second;
    right.offset = cluster::scene::database_now - time.boot_us();
    moves = std::make_unique<cluster::mover>(
        cluster::mover::dependencies{.self = look.self.id,
                                     .db = tables,
                                     .writers = writers,
                                     .hosts = hosts,
                                     .owners = owners,
                                     .time = time,
                                     .probe = moved,
                                     .prepare = [](shard_id, auto then) { then(); },
                                     .opened = [](shard_id) {},
                                     .taken = [](shard_id, std::int64_t) {},
                                     .released = [](shard_id, std::int64_t) {},
                                     .read_soon = [this] { hand->read_soon(); }});
    hand = std::make_unique<cluster::pilot>(
        cluster::pilot::dependencies{.self = look.self.id,
                                     .build_level = 1,
                                     .db = tables,
                                     .right = right,
                                     .time = time,
                                     .moves = *moves,
                                     .owners = owners,
                                     .probe = counted,
                                     .beating = [] { return true; },
                                     .viewed = [this](auto, bool newer) { viewed(newer); },
                                     .owners_changed = [this] { ++routes_changed; },
                                     .stop = [this](stop_reason why) { stops.push_back(why); }});
  }

  void tick_after(std::chrono::milliseconds passed) {
    time.pass(passed);
    hand->tick();
  }

  cluster_reading reading() const {
    cluster_reading out;
    out.database_now_us = time.boot_us() + right.offset;
    out.now = look.now;
    for (auto& m : out.now.members)
      if (m.lease_until_us != 0)
        m.lease_until_us = out.database_now_us + 2 * cluster::second;
    out.votes = look.facts.votes;
    for (shard_id i = 0; i < shard_count; ++i)
      out.shards[i] = {look.facts.shards[i].owner, epoch};
    out.drain = drain;
    return out;
  }

  /// Answers the last reading that was asked.
  void answer() {
    auto done = tables.reads.back();
    done(reading());
  }

  std::vector<std::string> changes() const {
    std::vector<std::string> out;
    for (auto& [what, done] : tables.changes)
      out.push_back(what);
    return out;
  }

  /// Probes of node n are not answered any more.
  void lose(std::uint8_t n) { hand->peer({node(n), 1}, false); }

  struct counting final : cluster::pilot_probe {
    void read(double) override { ++reads; }
    void read_failed(const std::string&) override { ++failed; }
    void acted(const cluster::action& what, swap how) override {
      acts.push_back(to_string(what).substr(0, to_string(what).find(' ')) +
                     (how == swap::done ? "" : "?"));
    }
    void owners_disagree(std::uint32_t rows) override { disagreed += rows; }
    int reads = 0;
    int failed = 0;
    std::uint32_t disagreed = 0;
    std::vector<std::string> acts;
  } counted;

  cluster::scene look;
  bool drain = false;
  std::int64_t epoch = 3;
  hand_clock time;
  fake_tables tables;
  fake_writers writers;
  fake_hosts hosts;
  fake_lease right;
  cluster::shard_map owners;
  cluster::mover_probe moved;
  int routes_changed = 0;
  std::vector<stop_reason> stops;
  std::function<void(bool newer)> viewed = [](bool) {};
  std::unique_ptr<cluster::mover> moves;
  std::unique_ptr<cluster::pilot> hand; // last: it calls the rest
};

// -- reading ----------------------------------------------------------------------------------

TEST(pilot, reads_each_250_ms_one_reading_at_a_time) {
  cockpit c;
  c.hand->tick();
  for (int i = 0; i < 20; ++i)
    c.tick_after(100ms);
  EXPECT_EQ(c.tables.reads.size(), 1u) << "no answer yet";
  c.answer();
  c.hand->tick();
  EXPECT_EQ(c.tables.reads.size(), 2u);
  c.answer();
  c.tick_after(249ms);
  EXPECT_EQ(c.tables.reads.size(), 2u);
  c.tick_after(1ms);
  EXPECT_EQ(c.tables.reads.size(), 3u);
  EXPECT_EQ(c.counted.reads, 2);
}

TEST(pilot, waits_for_the_answer_to_a_change_before_it_reads_again) {
  cockpit c;
  c.drain = true;
  c.hand->tick();
  c.answer();
  EXPECT_THAT(c.changes(), ElementsAre("active -> leaving"));
  c.hand->read_soon();
  c.tick_after(2s);
  EXPECT_EQ(c.tables.reads.size(), 1u);
  c.tables.changes[0].second(swap::stale);
  c.hand->tick();
  EXPECT_EQ(c.tables.reads.size(), 2u) << "whatever came of it: at once";
  EXPECT_THAT(c.counted.acts, ElementsAre("begin_leave?"));
  c.answer();
  ASSERT_EQ(c.tables.changes.size(), 2u);
  c.time.pass(10ms);
  c.tables.changes[1].second(swap::done);
  c.hand->tick();
  EXPECT_EQ(c.tables.reads.size(), 3u) << "long before it is time for the next one";
}

TEST(pilot, does_not_read_while_it_still_acts_on_the_last_reading) {
  cockpit c;
  c.drain = true;
  c.viewed = [&](bool) {
    c.hand->read_soon();
    c.tick_after(300ms); // somebody else's tick, in the middle of it
  };
  c.hand->tick();
  c.answer();
  EXPECT_EQ(c.tables.reads.size(), 1u);
  EXPECT_EQ(c.tables.changes.size(), 1u);
}

TEST(pilot, gives_up_an_answer_that_does_not_come_for_3_s) {
  cockpit c;
  c.hand->tick();
  c.tick_after(2'999ms);
  EXPECT_EQ(c.tables.reads.size(), 1u);
  c.tick_after(1ms);
  ASSERT_EQ(c.tables.reads.size(), 2u);
  c.drain = true;
  c.tables.reads[0](c.reading());
  EXPECT_EQ(c.hand->now(), nullptr) << "the former one says nothing any more";
  EXPECT_THAT(c.changes(), IsEmpty());
  c.tick_after(1s);
  EXPECT_EQ(c.tables.reads.size(), 2u) << "nor does it let another one go";
  c.tables.reads[1](c.reading());
  EXPECT_NE(c.hand->now(), nullptr);
  EXPECT_EQ(c.tables.changes.size(), 1u);
}

TEST(pilot, gives_up_a_change_that_does_not_come_for_3_s) {
  cockpit c;
  c.drain = true;
  c.hand->tick();
  c.answer();
  c.tick_after(3s);
  ASSERT_EQ(c.tables.reads.size(), 2u);
  c.tables.changes[0].second(swap::done);
  EXPECT_THAT(c.counted.acts, IsEmpty());
  c.tick_after(1s);
  EXPECT_EQ(c.tables.reads.size(), 2u);
}

TEST(pilot, does_not_act_on_a_reading_that_it_has_given_up_meanwhile) {
  for (bool something_to_do : {true, false}) {
    cockpit c;
    c.drain = something_to_do;
    c.viewed = [&](bool) { c.tick_after(3s); };
    c.hand->tick();
    c.answer();
    EXPECT_EQ(c.tables.reads.size(), 2u);
    EXPECT_THAT(c.changes(), IsEmpty());
    c.tick_after(300ms);
    EXPECT_EQ(c.tables.reads.size(), 2u) << "the second one is under way still";
  }
}

TEST(pilot, does_nothing_while_the_tables_do_not_answer) {
  cockpit c;
  c.look.facts.shards.assign(shard_count, {});
  c.drain = true;
  for (int i = 0; i < 10; ++i) {
    c.tick_after(250ms);
    c.tables.reads.back()(mover_scene::unavailable);
  }
  EXPECT_EQ(c.counted.failed, 10);
  EXPECT_EQ(c.counted.reads, 0);
  EXPECT_THAT(c.changes(), IsEmpty());
  EXPECT_THAT(c.tables.takes, IsEmpty());
  EXPECT_EQ(c.hand->now(), nullptr);
}

TEST(pilot, reads_soon_but_not_nearer_than_50_ms) {
  cockpit c;
  c.hand->tick();
  c.answer();
  for (int i = 0; i < 7; ++i) {
    c.hand->read_soon();
    c.tick_after(7ms);
  }
  EXPECT_EQ(c.tables.reads.size(), 1u);
  c.tick_after(1ms);
  EXPECT_EQ(c.tables.reads.size(), 2u);
  c.hand->read_soon(); // it may have begun before: another one follows
  c.tick_after(60ms);
  EXPECT_EQ(c.tables.reads.size(), 2u);
  c.answer();
  c.hand->tick();
  EXPECT_EQ(c.tables.reads.size(), 3u);
  c.answer();
  c.tick_after(100ms);
  EXPECT_EQ(c.tables.reads.size(), 3u) << "once is enough";
}

TEST(pilot, tells_what_it_read) {
  cockpit c;
  std::vector<bool> newer;
  c.viewed = [&](bool n) { newer.push_back(n); };
  c.look.vote(2, 3);
  for (int i = 0; i < 3; ++i) {
    if (i == 2) {
      ++c.look.now.version;
      ++c.epoch;
      c.look.facts.votes.clear();
    }
    c.tick_after(250ms);
    c.answer();
    EXPECT_EQ(c.hand->votes().size(), i == 2 ? 0u : 1u);
  }
  EXPECT_THAT(newer, ElementsAre(true, false, true));
  EXPECT_EQ(c.hand->now()->version, c.look.now.version);
  EXPECT_EQ(c.routes_changed, 2);
  const auto known = c.owners.read();
  for (shard_id i = 0; i < shard_count; ++i)
    EXPECT_EQ(known->owners[i], (cluster::shard_owner{c.look.facts.shards[i].owner.node, 4}));
  c.look.facts.shards[0].owner = {node(77), 1};
  c.tick_after(250ms);
  c.answer();
  EXPECT_EQ(c.counted.disagreed, 1u);
}

// -- acting -----------------------------------------------------------------------------------

TEST(pilot, changes_the_membership_once_a_step_and_moves_shards_besides) {
  cockpit c(5);
  c.lose(4);
  c.lose(5);
  for (std::uint8_t n : {1, 2, 3})
    c.hand->peer({node(n), 1}, true);
  c.time.pass(3s);
  for (auto& row : c.look.facts.shards)
    if (row.owner.node == node(1))
      row.owner = {};
  ASSERT_THAT(c.look.act(), ElementsAre(::testing::HasSubstr("take")));
  c.hand->tick();
  c.answer();
  EXPECT_THAT(c.changes(), ElementsAre("vote")) << "of two that are due";
  EXPECT_EQ(c.tables.takes.size(),
            cluster::assign_shards(c.look.now.active()).shards_of(node(1)).size());
  c.tables.changes[0].second(swap::done);
  c.look.vote(1, 4, 0);
  c.look.facts.votes.back().written_us = c.reading().database_now_us;
  c.hand->tick();
  c.answer();
  EXPECT_THAT(c.changes(), ElementsAre("vote", "vote"));
  EXPECT_THAT(c.counted.acts, ElementsAre("vote_against"));
}

TEST(pilot, a_peer_is_suspected_from_when_it_was_first_not_reached) {
  cockpit c;
  c.hand->peer({node(2), 1}, true);
  for (int i = 0; i < 11; ++i) { // told again and again
    c.lose(3);
    c.tick_after(250ms);
    c.answer();
    EXPECT_THAT(c.changes(), IsEmpty());
  }
  c.tick_after(250ms);
  c.answer();
  EXPECT_THAT(c.changes(), ElementsAre("vote"));
}

TEST(pilot, a_node_whose_lease_does_not_run_does_nothing) {
  cockpit c;
  c.right.runs = false;
  c.drain = true;
  c.look.facts.shards.assign(shard_count, {});
  c.hand->tick();
  c.answer();
  EXPECT_THAT(c.changes(), IsEmpty());
  EXPECT_THAT(c.tables.takes, IsEmpty());
}

TEST(pilot, owners_of_another_generation_are_nobody) {
  cockpit c;
  c.hand->tick();
  auto seen = c.reading();
  for (auto& row : seen.shards)
    row.this_generation = false;
  c.tables.reads.back()(seen);
  EXPECT_EQ(c.moves->held(), cluster::assign_shards(c.look.now.active()).shards_of(node(1)).size());
}

TEST(pilot, tells_once_that_its_incarnation_is_over) {
  cockpit c;
  c.look.row(1).status = cluster::member_status::dead;
  c.hand->tick();
  c.answer();
  EXPECT_THAT(c.stops, ElementsAre(stop_reason::declared_dead));
  c.answer();
  c.tick_after(10s);
  EXPECT_THAT(c.stops, ElementsAre(stop_reason::declared_dead));
  EXPECT_EQ(c.tables.reads.size(), 1u) << "it is over";
}

TEST(pilot, obeys_an_operators_wish_unless_the_process_wants_to_leave) {
  cockpit c;
  auto step = [&] {
    c.hand->read_soon();
    c.tick_after(250ms);
    c.answer();
    const auto out = c.changes();
    for (auto& [what, done] : std::exchange(c.tables.changes, {}))
      done(swap::done);
    return out;
  };
  EXPECT_THAT(step(), IsEmpty());
  c.drain = true;
  EXPECT_THAT(step(), ElementsAre("active -> leaving"));
  c.look.row(1).status = cluster::member_status::leaving;
  for (auto& row : c.look.facts.shards)
    row.owner = {node(2), 1};
  EXPECT_THAT(step(), IsEmpty()) << "it stays to be asked";
  c.drain = false;
  EXPECT_THAT(step(), ElementsAre("leaving -> active"));
  c.drain = true;
  c.hand->want(wish::leave);
  EXPECT_THAT(step(), ElementsAre("leaving -> left"));
  c.drain = false;
  EXPECT_THAT(step(), ElementsAre("leaving -> left")) << "nor does it stay for an operator";
}

TEST(pilot, a_wish_of_the_process_is_read_for_soon) {
  cockpit c;
  c.hand->tick();
  c.answer();
  c.hand->want(wish::leave);
  c.tick_after(50ms);
  ASSERT_EQ(c.tables.reads.size(), 2u);
  c.answer();
  EXPECT_THAT(c.changes(), ElementsAre("active -> leaving"));
}

TEST(pilot, joins_when_it_reaches_all_others) {
  cockpit c;
  c.look.row(1).status = cluster::member_status::joining;
  c.look.settle();
  c.hand->peer({node(2), 1}, true);
  c.hand->tick();
  c.answer();
  EXPECT_THAT(c.changes(), IsEmpty());
  c.hand->peer({node(3), 1}, true);
  c.tick_after(250ms);
  c.answer();
  EXPECT_THAT(c.changes(), ElementsAre("joining -> active"));
}

// -- the lease ----------------------------------------------------------------------------------

/// Reads every 250 ms for so long; the tables answer, or do not.
void read_for(cockpit& c, std::chrono::milliseconds span, bool answers) {
  for (; span > 0ms; span -= 250ms) {
    c.tick_after(250ms);
    if (answers)
      c.answer();
    else
      c.tables.reads.back()(mover_scene::unavailable);
  }
}

/// Its lease's connection lives, that of its readings does not: the others must be able to take its
/// shards, and must have the time for it.
TEST(pilot, keeps_the_lease_only_while_its_readings_are_answered) {
  cockpit c;
  read_for(c, 1s, true);
  EXPECT_TRUE(c.hand->keeps_lease());
  read_for(c, 2'750ms, false);
  EXPECT_EQ(c.hand->reading_age(), 2'750ms);
  EXPECT_TRUE(c.hand->keeps_lease());
  read_for(c, 250ms, false);
  EXPECT_FALSE(c.hand->keeps_lease()) << "though it runs still";
  c.right.runs = false;
  EXPECT_FALSE(c.hand->keeps_lease());
  read_for(c, 2'750ms, false);
  EXPECT_FALSE(c.hand->keeps_lease()) << "it lapses where the others see it";
  c.hand->tick();
  read_for(c, 250ms, true);
  EXPECT_TRUE(c.hand->keeps_lease());
}

TEST(pilot, takes_the_lease_up_again_with_the_database_when_that_was_away_for_long) {
  cockpit c;
  read_for(c, 1s, true);
  read_for(c, 2'500ms, false);
  c.right.runs = false;
  EXPECT_TRUE(c.hand->keeps_lease());
  read_for(c, 2'750ms, false);
  EXPECT_FALSE(c.hand->keeps_lease());
  read_for(c, 250ms, false);
  EXPECT_TRUE(c.hand->keeps_lease()) << "it tries";
  c.time.pass(3s);
  EXPECT_FALSE(c.hand->keeps_lease()) << "it does not even try: it is wedged";
  c.hand->tick();
  EXPECT_TRUE(c.hand->keeps_lease());
  c.right.runs = true;
  EXPECT_FALSE(c.hand->keeps_lease()) << "held, and not read";
}

TEST(pilot, a_node_that_has_just_begun_keeps_its_lease) {
  cockpit c;
  c.time.pass(2'999ms);
  EXPECT_TRUE(c.hand->keeps_lease());
  c.time.pass(1ms);
  EXPECT_FALSE(c.hand->keeps_lease());
}

TEST(pilot, makes_late_answers_harmless_when_it_stops) {
  cockpit c;
  c.drain = true;
  c.hand->tick();
  c.answer();
  c.tick_after(3s);
  c.hand->stop();
  int told = 0;
  c.viewed = [&](bool) { ++told; };
  c.tick_after(10s);
  EXPECT_EQ(c.tables.reads.size(), 2u);
  c.look.row(1).status = cluster::member_status::dead;
  c.hand.reset();
  for (auto& done : c.tables.reads)
    done(c.reading());
  c.tables.changes[0].second(swap::done);
  EXPECT_EQ(told, 0);
  EXPECT_THAT(c.stops, IsEmpty());
  EXPECT_THAT(c.counted.acts, IsEmpty());
}

} // namespace
} // namespace rahat::test
