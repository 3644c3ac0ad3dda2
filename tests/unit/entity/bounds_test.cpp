// Every bound of host and region, and what happens at it.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>
#include <set>

namespace rahat {
namespace {

using namespace std::chrono_literals;

/// Asked again and again, as clients do who hear that there is no room.
bool eventually_ok(stage& s, const entity_ref& to) {
  for (int tries = 0; tries < 5; ++tries) {
    auto h = s.add(to);
    s.settle();
    if (h->code() == "ok")
      return true;
  }
  return false;
}

const auto one = probe_ref(1);
const auto two = probe_ref(2);

TEST(bounds, an_entity_takes_64_mails_before_it_decides_then_overloaded) {
  stage s;
  std::vector<hearing> all;
  for (std::uint32_t i = 0; i < s.limits.inbox; ++i)
    all.push_back(i % 2 == 0 ? s.add(one) : s.look(one));
  auto over = s.add(one);
  auto over_look = s.look(one);
  EXPECT_EQ(over->code(), "overloaded");
  EXPECT_EQ(over_look->code(), "overloaded");
  EXPECT_EQ(s.add(two)->times, 0); // its neighbour has credits of its own
  s.settle();
  for (auto& h : all)
    EXPECT_EQ(h->times, 1);
  EXPECT_EQ(s.node->residents(10).front().in_flight, 0u);
  EXPECT_EQ(s.counts.mailbox, 0);
}

TEST(bounds, a_message_without_a_credit_comes_again) {
  host_limits l;
  l.inbox = 1;
  stage s(0, l);
  for (int i = 0; i < 10; ++i) {
    s.tell(one, two);
    s.settle();
  }
  s.pass(60s);
  EXPECT_NE(s.view(two).find(R"("noted":10)"), std::string::npos);
}

TEST(bounds, speculation_stops_at_256_commits) {
  stage s;
  s.add(one);
  s.settle();
  std::vector<hearing> all;
  std::uint64_t decided = 0;
  for (int round = 0; round < 10; ++round) {
    for (std::uint32_t i = 0; i < s.limits.inbox; ++i)
      all.push_back(s.add(one));
    s.hosts.run_all(); // the store is asleep
  }
  for (auto& h : all)
    decided += h->code() == "nothing" ? 1 : 0;
  EXPECT_EQ(decided, s.limits.speculative + s.limits.inbox); // decided, and waiting to be
  EXPECT_EQ(s.node->residents(1).front().in_flight, s.limits.inbox);
  s.settle();
  EXPECT_EQ(s.commits(one), 1 + decided);
  EXPECT_EQ(s.counts.mailbox, 0);
}

TEST(bounds, answers_that_wait_for_a_commit_are_bounded) {
  host_limits l;
  l.held = 20;
  stage s(0, l);
  s.add(one);
  s.settle();
  s.add(one);
  std::size_t looks = 0;
  for (int i = 0; i < 200; ++i) {
    looks += s.look(one)->code() == "nothing" ? 1 : 0;
    s.hosts.run_all();
  }
  EXPECT_LE(looks, l.held + l.inbox);
  s.settle();
  EXPECT_EQ(s.counts.mailbox, 0);
}

TEST(bounds, a_writer_without_credit_refuses_requests_but_not_reads) {
  stage s;
  s.add(one);
  s.settle();
  commit big;
  big.entity = two;
  big.shard = shard_of(one);
  big.payload.assign(9 << 20, 'x');
  struct deaf final : commit_listener {
    void committed(std::uint64_t, std::uint64_t) override {}
    void failed(std::uint64_t, const commit_refusal&) override {}
  };
  s.db->write(std::move(big), std::make_shared<deaf>());
  EXPECT_EQ(s.add(one)->code(), "overloaded");
  auto read = s.look(one);
  s.settle();
  EXPECT_EQ(read->code(), "ok");
  EXPECT_EQ(s.add(one)->times, 0);
}

TEST(bounds, entities_in_memory_are_bounded) {
  host_limits l;
  l.resident = 3;
  stage s(0, l);
  for (int i = 1; i <= 3; ++i)
    s.add(probe_ref(i));
  s.settle();
  EXPECT_EQ(s.add(probe_ref(4))->code(), "overloaded");
  EXPECT_EQ(s.add(probe_ref(3))->times, 0);
  s.settle();
  s.pass(l.passivate_after * 2);
  auto h = s.add(probe_ref(4));
  s.settle();
  EXPECT_EQ(h->code(), "ok");
}

/// Long before their time would be up.
TEST(bounds, near_it_the_one_that_was_left_alone_longest_leaves) {
  host_limits l;
  l.resident = 3;
  stage s(0, l);
  for (int i = 1; i <= 3; ++i)
    s.add(probe_ref(i));
  s.settle();
  s.pass(l.unused_at_least * 2);
  s.look(probe_ref(1));
  s.look(probe_ref(3));
  s.settle();
  EXPECT_EQ(s.add(probe_ref(4))->code(), "overloaded");
  s.settle();
  auto again = s.add(probe_ref(4));
  s.settle();
  EXPECT_EQ(again->code(), "ok");
  std::set<entity_ref> here;
  for (auto& r : s.node->residents(10))
    here.insert(r.entity);
  EXPECT_EQ(here, (std::set<entity_ref>{probe_ref(1), probe_ref(3), probe_ref(4)}));
  EXPECT_NE(s.view(probe_ref(2)), "") << "it is started again when it is asked";
}

TEST(bounds, who_has_something_left_to_do_does_not_leave_for_want_of_room) {
  host_limits l;
  l.resident = 2;
  stage s(0, l);
  s.ask(one, timer_of("soon", s.time.now_us() + l.keep_for_timer_us / 2), s.fresh_key());
  s.settle();
  s.pass(l.unused_at_least * 2);
  s.add(two);
  s.settle();
  s.pass(l.unused_at_least * 2);
  EXPECT_TRUE(eventually_ok(s, probe_ref(3)));
  std::set<entity_ref> here;
  for (auto& r : s.node->residents(10))
    here.insert(r.entity);
  EXPECT_TRUE(here.contains(one));
}

/// Every way in which mail can end gives its credit back.
TEST(bounds, credits_come_back_on_every_path) {
  stage s;
  s.attempts = 2;
  s.crash();
  auto r = s.request_of(one, add_of(1), "late");
  r.deadline = s.time.steady() - 1ms;
  probe::Command fail, reject, broken;
  fail.set_fail(true);
  reject.set_reject("no");
  broken.set_break_event(true);
  s.ask(r);
  s.ask(one, fail, s.fresh_key());
  s.ask(one, reject, s.fresh_key());
  s.look(two);
  s.settle();
  s.ask(one, add_of(1), "same");
  s.ask(one, add_of(1), "same");
  s.ask(one, broken, s.fresh_key());
  s.add(one); // behind it: answered by a host that has ended
  s.look(one);
  s.settle();
  EXPECT_EQ(s.counts.mailbox, 0);
  s.db->faults().down();
  s.add(two); // the load fails
  s.look(two);
  s.settle();
  EXPECT_EQ(s.counts.mailbox, 0);
  s.db->faults().heal();
  s.pass(30s);
  s.add(one);
  s.look(one);
  s.node->drop(shard_of(one));
  s.hosts.run_all();
  s.node->open(shard_of(one));
  EXPECT_EQ(s.counts.mailbox, 0);
  s.add(one);
  s.look(two);
  s.node->stop();
  s.hosts.run_all();
  EXPECT_EQ(s.counts.mailbox, 0);
  EXPECT_EQ(s.counts.started, s.counts.stopped);
}

/// Mail that is on its way to a host which ends just then is answered, once.
TEST(bounds, mail_that_meets_the_end_of_its_host_is_answered) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    stage s(seed);
    std::vector<hearing> all;
    probe::Command broken;
    broken.set_break_event(true);
    for (int i = 0; i < 30; ++i) {
      all.push_back(s.dice() % 8 == 0 ? s.ask(one, broken, s.fresh_key()) : s.add(one));
      all.push_back(s.look(one));
      if (s.dice() % 15 == 0)
        s.reopen(shard_of(one));
      for (auto n = s.dice() % 10; n > 0; --n)
        s.step();
      s.time.advance_us(static_cast<std::int64_t>(s.dice() % 100'000));
    }
    s.pass(30s);
    for (auto& h : all)
      ASSERT_EQ(h->times, 1);
    ASSERT_EQ(s.counts.mailbox, 0);
  }
}

} // namespace
} // namespace rahat
