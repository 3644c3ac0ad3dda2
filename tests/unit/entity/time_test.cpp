// Timers, waking, and leaving memory.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

const auto one = probe_ref(1);
const auto two = probe_ref(2);

std::int64_t in(const stage& s, std::chrono::microseconds d) {
  return s.time.now_us() + d.count();
}

TEST(timers, fire_once_when_due_and_their_row_goes_with_the_commit) {
  stage s;
  s.ask(one, timer_of("t", in(s, 5s)), s.fresh_key());
  s.pass(4s);
  EXPECT_EQ(s.timers(one), std::vector<std::string>{"t"});
  EXPECT_EQ(s.commits(one), 1u);
  s.pass(2s);
  EXPECT_NE(s.view(one).find(R"("fired":1)"), std::string::npos);
  EXPECT_TRUE(s.timers(one).empty());
  EXPECT_EQ(s.commits(one), 2u);
  s.pass(60s);
  EXPECT_EQ(s.commits(one), 2u);
}

TEST(timers, fire_again_when_set_again) {
  stage s;
  s.ask(one, timer_of("t", in(s, 1s)), s.fresh_key());
  s.pass(2s);
  s.ask(one, timer_of("t", in(s, 1s)), s.fresh_key());
  s.pass(2s);
  EXPECT_NE(s.view(one).find(R"("fired":2)"), std::string::npos);
}

TEST(timers, move_when_set_while_running_and_stop_when_cancelled) {
  stage s;
  s.ask(one, timer_of("t", in(s, 1s)), s.fresh_key());
  s.settle();
  s.ask(one, timer_of("t", in(s, 10s)), s.fresh_key());
  s.pass(5s);
  EXPECT_NE(s.view(one).find(R"("fired":0)"), std::string::npos);
  s.pass(6s);
  EXPECT_NE(s.view(one).find(R"("fired":1)"), std::string::npos);
  s.ask(one, timer_of("t", in(s, 1s)), s.fresh_key());
  s.ask(one, timer_of("t", 0), s.fresh_key());
  s.pass(5s);
  EXPECT_NE(s.view(one).find(R"("fired":1)"), std::string::npos);
  EXPECT_TRUE(s.timers(one).empty());
}

TEST(timers, one_that_another_cancels_in_the_same_moment_does_not_fire) {
  stage s;
  s.ask(one, timer_of("a-cancels-b", in(s, 1s)), s.fresh_key());
  s.ask(one, timer_of("b", in(s, 1s)), s.fresh_key());
  s.pass(5s);
  EXPECT_NE(s.view(one).find(R"("fired":1)"), std::string::npos);
  EXPECT_TRUE(s.timers(one).empty());
}

/// A decider that takes the host's own name by mistake is told so before anything has changed.
TEST(timers, of_the_hosts_own_name_cannot_be_set_by_a_decider) {
  stage s;
  s.add(one);
  s.settle();
  for (auto due : {in(s, 1s), std::int64_t{0}}) {
    auto asked = s.ask(one, timer_of("work", due), s.fresh_key());
    s.settle();
    EXPECT_EQ(asked->code(), "internal");
  }
  s.pass(5s);
  EXPECT_TRUE(s.timers(one).empty());
  EXPECT_EQ(s.commits(one), 1u);
  EXPECT_EQ(s.counts.parked, 0);
  auto behind = s.add(one, 2);
  s.settle();
  EXPECT_EQ(behind->code(), "ok");
}

TEST(timers, survive_a_restart_and_are_found_by_waking) {
  stage s;
  s.ask(one, timer_of("t", in(s, 5s)), s.fresh_key());
  s.settle();
  s.crash();
  s.time.advance_us(10'000'000);
  s.wake();
  s.pass(1s);
  EXPECT_NE(s.view(one).find(R"("fired":1)"), std::string::npos);
  EXPECT_TRUE(s.timers(one).empty());
}

/// Killed at every step around the firing: it fires once.
TEST(timers, fire_once_wherever_the_process_dies) {
  for (int died_after = 0; died_after < 40; ++died_after) {
    stage s(static_cast<std::uint64_t>(died_after) + 1);
    s.ask(one, timer_of("t", in(s, 1s)), s.fresh_key());
    s.settle();
    s.time.advance_us(1'000'000);
    for (int i = 0; i < died_after; ++i)
      s.step();
    s.crash();
    s.wake();
    s.pass(2s);
    ASSERT_NE(s.view(one).find(R"("fired":1)"), std::string::npos) << died_after;
    ASSERT_EQ(s.commits(one), 2u);
  }
}

TEST(waking, wakes_exactly_those_with_a_message_or_a_due_timer) {
  stage s;
  s.hosts.lose = 100;
  for (int i = 10; i < 20; ++i)
    s.add(probe_ref(i));
  s.tell(probe_ref(30), two);
  s.ask(probe_ref(31), timer_of("t", in(s, 1s)), s.fresh_key());
  s.ask(probe_ref(32), timer_of("t", in(s, 3'600s)), s.fresh_key());
  probe::Command halt;
  halt.set_halt(true);
  s.ask(probe_ref(33), halt, s.fresh_key());
  s.ask(probe_ref(33), work_of(2), s.fresh_key());
  s.settle();
  s.crash();
  s.time.advance_us(2'000'000);
  s.wake();
  s.db->run_all();
  s.pass(100ms);
  std::set<entity_ref> up;
  for (auto& r : s.node->residents(100))
    up.insert(r.entity);
  EXPECT_EQ(up, (std::set<entity_ref>{probe_ref(30), probe_ref(31), probe_ref(33)}));
}

/// One rate for the node, not one a shard.
TEST(waking, is_bounded_in_rate_and_the_oldest_of_a_shard_comes_first) {
  host_limits l;
  l.wake_per_second = 10;
  stage s(0, l);
  std::vector<entity_ref> mates; // of one shard, in order of age
  for (int i = 100; mates.size() < 5; ++i)
    if (shard_of(probe_ref(i)) == shard_of(probe_ref(100)))
      mates.push_back(probe_ref(i));
  std::reverse(mates.begin(), mates.end());
  s.hosts.lose = 100;
  for (auto& e : mates) {
    s.tell(e, two);
    s.time.advance_us(1'000);
    s.settle();
  }
  for (int i = 1; i <= 35; ++i)
    s.tell(probe_ref(i + 10'000), two);
  s.settle();
  s.crash();
  s.wake();
  s.settle();
  std::vector<entity_ref> order;
  std::set<entity_ref> seen;
  std::size_t before = s.node->resident_count();
  EXPECT_LE(before, 1u);
  for (int tenth = 1; tenth <= 40; ++tenth) {
    s.pass(100ms);
    EXPECT_LE(s.node->resident_count(), static_cast<std::size_t>(tenth) + 1);
    for (auto& e : mates)
      for (auto& r : s.node->residents(100))
        if (r.entity == e && seen.insert(e).second)
          order.push_back(e);
  }
  EXPECT_EQ(s.node->resident_count(), 40u);
  EXPECT_EQ(order, mates);
}

TEST(waking, twice_starts_nobody_twice) {
  stage s;
  s.hosts.lose = 100;
  s.tell(one, two);
  s.settle();
  s.crash();
  s.node->mark_parked(two); // so that only its source is counted
  s.counts.started = 0;
  s.wake();
  s.wake();
  s.pass(1s);
  s.wake();
  s.pass(1s);
  EXPECT_EQ(s.counts.started, 1);
}

TEST(passivation, who_is_not_asked_leaves_memory) {
  stage s;
  s.add(one, 3);
  s.settle();
  EXPECT_EQ(s.node->resident_count(), 1u);
  s.pass(s.limits.passivate_after - 1s);
  EXPECT_EQ(s.node->resident_count(), 1u);
  s.pass(2s);
  EXPECT_EQ(s.node->resident_count(), 0u);
  EXPECT_EQ(s.hosts.alive(), 0u);
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":3)");
}

TEST(passivation, an_unknown_id_leaves_memory_at_once) {
  stage s;
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(s.view(probe_ref(i)), "not_found");
  EXPECT_EQ(s.node->resident_count(), 0u);
  EXPECT_EQ(s.counts.mailbox, 0);
}

TEST(passivation, not_with_a_message_that_was_not_acknowledged) {
  stage s;
  s.hosts.lose = 100;
  s.tell(one, two);
  s.pass(s.limits.passivate_after * 3);
  EXPECT_EQ(s.node->resident_count(), 1u);
  s.hosts.lose = 0;
  s.pass(s.limits.passivate_after * 3);
  EXPECT_EQ(s.node->resident_count(), 0u);
}

TEST(passivation, not_with_clients_that_wait_for_an_answer) {
  stage s;
  probe::Command c;
  c.set_postpone(true);
  auto h = s.ask(one, c, "k");
  s.pass(s.limits.passivate_after * 3);
  EXPECT_EQ(s.node->resident_count(), 1u);
  EXPECT_FALSE(h->answered());
}

TEST(passivation, not_with_work_left_even_if_it_waits_for_somebody) {
  stage s;
  probe::Command halt;
  halt.set_halt(true);
  s.ask(one, halt, s.fresh_key());
  s.ask(one, work_of(2), s.fresh_key());
  s.pass(s.limits.passivate_after * 3);
  EXPECT_EQ(s.node->resident_count(), 1u);
}

TEST(passivation, not_with_a_commit_under_way) {
  host_limits l;
  l.passivate_after = 1s;
  stage s(0, l);
  s.add(one);
  s.settle();
  s.add(one);
  s.hosts.run_all();
  for (int i = 0; i < 10; ++i) {
    s.time.advance_us(1'000'000);
    s.node->fire_due();
    s.hosts.run_all(); // the store is asleep
    EXPECT_EQ(s.node->resident_count(), 1u);
  }
}

TEST(passivation, not_with_a_timer_that_is_near_but_with_a_far_one) {
  stage s;
  s.ask(one, timer_of("near", in(s, 400s)), s.fresh_key());
  s.ask(two, timer_of("far", in(s, 24h)), s.fresh_key());
  s.pass(s.limits.passivate_after * 2);
  EXPECT_EQ(s.node->resident_count(), 1u);
  EXPECT_EQ(s.node->residents(1).front().entity, one);
  s.time.advance_us(std::chrono::microseconds(24h).count());
  s.wake(); // as the node does from time to time
  s.pass(1s);
  EXPECT_NE(s.view(two).find(R"("fired":1)"), std::string::npos);
}

/// Mail arrives in the very moment in which the host leaves: nothing is lost, whatever the order.
TEST(passivation, loses_no_mail_that_comes_in_the_same_moment) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    host_limits l;
    l.passivate_after = 10ms;
    stage s(seed, l);
    std::vector<hearing> all;
    int told = 0;
    for (int i = 0; i < 20; ++i) {
      all.push_back(s.add(one));
      if (i % 3 == 0) {
        s.tell(two, one);
        ++told;
      }
      for (auto n = s.dice() % 20; n > 0; --n)
        s.step();
      s.time.advance_us(static_cast<std::int64_t>(s.dice() % 15'000));
    }
    s.pass(10s);
    for (auto& h : all)
      ASSERT_EQ(h->code(), "ok");
    auto want = R"({"sum":20,"noted":)" + std::to_string(told) + ",";
    ASSERT_EQ(s.view(one).substr(0, want.size()), want);
    s.pass(1s);
    ASSERT_EQ(s.node->resident_count(), 0u);
    ASSERT_EQ(s.counts.mailbox, 0);
  }
}

} // namespace
} // namespace rahat
