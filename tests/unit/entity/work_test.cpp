// An entity's own work.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

const auto one = probe_ref(1);
const auto two = probe_ref(2);

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++n;
  return n;
}

probe::Command halted(bool yes) {
  probe::Command c;
  if (yes)
    c.set_halt(true);
  else
    c.set_resume(true);
  return c;
}

TEST(work, is_done_to_its_end_and_its_marker_stands_exactly_while_some_is_left) {
  stage s;
  s.ask(one, work_of(20), s.fresh_key());
  bool marked = false;
  do {
    auto rows = s.commits(one);
    if (rows > 0) {
      auto has = s.timers(one) == std::vector<std::string>{"work"};
      EXPECT_EQ(has, rows < 21) << rows;
      marked = marked || has;
    }
  } while (s.step());
  EXPECT_TRUE(marked);
  EXPECT_EQ(s.commits(one), 21u);
  EXPECT_TRUE(s.timers(one).empty());
  EXPECT_NE(s.view(one).find(R"("worked":20)"), std::string::npos);
}

TEST(work, goes_on_by_itself_after_a_crash_at_any_step) {
  for (int died_after = 0; died_after < 60; ++died_after) {
    stage s(static_cast<std::uint64_t>(died_after) + 1);
    auto ask = work_of(10, died_after % 2 == 0);
    ask.mutable_work()->set_target(two.id.raw());
    s.ask(one, ask, "k");
    while (s.commits(one) == 0)
      s.step();
    for (int i = 0; i < died_after; ++i)
      s.step();
    s.crash();
    s.wake();
    s.pass(10s);
    ASSERT_NE(s.view(one).find(R"("worked":10)"), std::string::npos) << died_after;
    ASSERT_NE(s.view(two).find(R"("noted":10)"), std::string::npos) << died_after;
  }
}

TEST(work, stops_at_its_bound_of_uncommitted_commits) {
  stage s;
  s.add(one);
  s.settle();
  s.ask(one, work_of(100), s.fresh_key());
  s.hosts.run_all();
  auto credit = s.db->writer_credit(shard_of(one));
  s.hosts.run_all();
  EXPECT_EQ(s.db->writer_credit(shard_of(one)), credit);
  auto pause = s.ask(one, halted(true), s.fresh_key());
  s.settle();
  EXPECT_EQ(pause->code(), "ok");
  EXPECT_LE(pause->reply()->version(), 1u + s.limits.work_ahead + 1);
  auto seen = s.view(one);
  s.pass(5s);
  EXPECT_EQ(s.view(one), seen); // it stands
}

TEST(work, reads_its_rows_only_after_everything_it_could_want_has_committed) {
  stage s;
  s.add(one);
  s.settle();
  s.ask(one, work_of(3, true), s.fresh_key());
  // No busy waiting: with the store asleep, the host comes to rest.
  EXPECT_LT(s.hosts.run_all(10'000), 100u);
  s.db->run_all();
  EXPECT_EQ(s.hosts.waiting(), 1u) << "outcomes of commits, and no rows that were read before";
  s.settle();
  EXPECT_EQ(s.commits(one), 5u);
  EXPECT_NE(s.view(one).find(R"("worked":3)"), std::string::npos);
}

TEST(work, is_not_kept_from_its_rows_by_clients) {
  stage s;
  s.add(one);
  s.settle();
  s.ask(one, work_of(5, true), s.fresh_key());
  for (int i = 0; i < 400 && s.view(one).find(R"("worked":5)") == std::string::npos; ++i) {
    s.add(one);
    for (int k = 0; k < 3; ++k) {
      s.hosts.run_all();
      s.add(one); // there is always a commit of a client under way
      s.db->run_one();
    }
    if (i == 399)
      FAIL() << "starved";
  }
}

TEST(work, asks_for_other_rows_when_the_state_has_moved_on) {
  stage s;
  s.add(one);
  s.settle();
  s.ask(one, work_of(50, true), s.fresh_key());
  while (s.commits(one) < 2)
    s.step();
  s.hosts.run_all(); // the rows for step 50 are asked for
  s.ask(one, work_of(2, true), s.fresh_key());
  s.settle();
  EXPECT_NE(s.view(one).find(R"("worked":2)"), std::string::npos) << s.view(one);
}

TEST(work, that_has_to_wait_goes_on_after_new_events_only) {
  stage s;
  s.ask(one, halted(true), s.fresh_key());
  s.ask(one, work_of(5), s.fresh_key());
  EXPECT_NO_THROW(s.settle()); // no busy waiting
  EXPECT_EQ(s.timers(one).size(), 1u);
  s.look(one);
  s.settle();
  EXPECT_EQ(s.commits(one), 2u);
  s.ask(one, halted(false), s.fresh_key());
  s.settle();
  EXPECT_NE(s.view(one).find(R"("worked":5)"), std::string::npos);
}

TEST(work, does_not_starve_clients) {
  stage s;
  s.ask(one, work_of(10'000), s.fresh_key());
  for (int i = 0; i < 50; ++i)
    s.step();
  auto h = s.add(one);
  int steps = 0;
  while (!h->answered() && steps++ < 200)
    s.step();
  EXPECT_TRUE(h->answered());
  EXPECT_LT(s.commits(one), 200u);
}

TEST(work, waits_while_too_many_messages_are_not_acknowledged) {
  host_limits l;
  l.unacknowledged = 10;
  stage s(0, l);
  s.hosts.lose = 100;
  auto ask = work_of(100);
  ask.mutable_work()->set_target(two.id.raw());
  s.ask(one, ask, s.fresh_key());
  s.settle();
  EXPECT_LE(s.commits(one), 10u + l.work_ahead + 1);
  s.hosts.lose = 0;
  s.pass(60s);
  EXPECT_NE(s.view(two).find(R"("noted":100)"), std::string::npos);
}

TEST(work, that_fails_for_rows_which_cannot_be_read_parks_nobody) {
  stage s;
  s.attempts = 2;
  s.crash();
  s.ask(one, work_of(3, true), s.fresh_key());
  while (s.commits(one) == 0)
    s.step();
  s.hosts.run_all();
  s.db->faults().down();
  s.pass(20s);
  s.db->faults().heal();
  s.pass(20s);
  EXPECT_EQ(s.counts.parked, 0);
  EXPECT_NE(s.view(one).find(R"("worked":3)"), std::string::npos);
  EXPECT_EQ(times(s.view(one), "worked"), 1u);
}

} // namespace
} // namespace rahat
