// A host that fails: restart with backoff, parking, fencing.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

const auto one = probe_ref(1);
const auto two = probe_ref(2);

probe::Command flag(void (probe::Command::*set)(bool)) {
  probe::Command c;
  (c.*set)(true);
  return c;
}

probe::Command spoilt(const entity_ref& to, bool poison = false) {
  auto c = tell_of(to, 1);
  c.mutable_tell()->set_spoil(!poison);
  c.mutable_tell()->set_poison(poison);
  return c;
}

TEST(failure, what_a_failed_incarnation_queued_never_lands) {
  stage s;
  s.add(one, 1);
  s.settle();
  auto a = s.add(one, 10);
  auto b = s.add(one, 100);
  auto c = s.add(one, 1'000);
  s.hosts.run_all();
  s.db->faults().poison(one, 2); // the batch of all three, then the first alone
  s.settle();
  EXPECT_EQ(a->code(), "internal");
  EXPECT_EQ(b->code(), "unavailable");
  EXPECT_EQ(c->code(), "unavailable");
  s.pass(1s);
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":1)");
  s.add(one, 5);
  s.settle();
  auto rows = s.rows->journal_of(one);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].seq, 2u);
}

TEST(failure, a_restart_waits_longer_each_time_and_refuses_meanwhile) {
  stage s;
  s.add(one);
  s.settle();
  std::vector<std::chrono::microseconds> waits;
  for (int i = 0; i < 5; ++i) {
    s.ask(one, flag(&probe::Command::set_break_event), s.fresh_key());
    s.settle();
    EXPECT_EQ(s.node->resident_count(), 0u);
    EXPECT_EQ(s.look(one)->code(), "unavailable");
    auto from = s.time.steady();
    while (s.node->resident_count() == 0 && s.time.steady() < from + 60s) {
      s.time.advance_us(1'000);
      s.settle();
    }
    waits.push_back(std::chrono::duration_cast<std::chrono::microseconds>(s.time.steady() - from));
  }
  EXPECT_GE(waits[0], s.limits.restart_first);
  for (std::size_t i = 1; i < waits.size(); ++i)
    EXPECT_GT(waits[i], waits[i - 1]);
}

TEST(failure, a_clients_command_that_cannot_be_stored_is_told_so_and_parks_nobody) {
  stage s;
  s.add(one);
  s.settle();
  for (int i = 0; i < 6; ++i) {
    s.db->faults().poison(one, 1);
    auto h = s.add(one);
    auto beside = s.look(one);
    s.settle();
    EXPECT_EQ(h->code(), "internal");
    EXPECT_EQ(beside->code(), "unavailable"); // not its fault
    s.pass(3s);
  }
  EXPECT_EQ(s.counts.parked, 0);
  EXPECT_EQ(s.add(one)->times, 0);
  s.settle();
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":2)");
}

TEST(failure, a_clients_command_whose_event_breaks_parks_nobody) {
  stage s;
  s.add(one);
  s.settle();
  for (int i = 0; i < 6; ++i) {
    auto h = s.ask(one, flag(&probe::Command::set_break_event), s.fresh_key());
    s.settle();
    EXPECT_EQ(h->code(), "internal");
    s.pass(3s);
  }
  EXPECT_EQ(s.counts.parked, 0);
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":1)");
}

/// A view that throws after the state has moved on: the commit was never written, so nothing that
/// came later may wait for it.
TEST(failure, what_breaks_between_evolve_and_commit_restarts_the_host) {
  stage s;
  s.add(one);
  s.settle();
  auto bad = s.ask(one, flag(&probe::Command::set_spoil_view), s.fresh_key());
  auto behind = s.add(one);
  s.settle();
  EXPECT_EQ(bad->code(), "internal");
  EXPECT_EQ(behind->times, 1);
  s.pass(1s);
  EXPECT_EQ(s.add(one, 4)->times, 0);
  s.settle();
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":5)");
}

/// A presenter that breaks on a state which stands in the journal: the reader is answered, and the
/// entity does not stay behind as a host that nobody runs.
TEST(failure, a_read_that_breaks_ends_the_host_and_is_answered) {
  stage s;
  s.add(one);
  s.settle();
  s.crash();
  s.rows->with([](memory::tables& t) {
    probe::Event e;
    e.set_view_spoilt(true);
    wire::Commit payload;
    payload.add_events(e.SerializeAsString());
    t.journal.at({one, 1}).payload = payload.SerializeAsString();
  });
  auto h = s.look(one);
  s.settle();
  EXPECT_EQ(h->code(), "unavailable");
  EXPECT_EQ(s.node->resident_count(), 0u);
  EXPECT_EQ(s.counts.restarted, 1);
}

void expect_parked_with_message(stage& s, int restarts) {
  ASSERT_EQ(s.counts.parked, 1);
  EXPECT_EQ(s.counts.restarted, restarts);
  auto rows = s.parked();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].entity, two);
  EXPECT_FALSE(rows[0].reason.empty());
  wire::Told told;
  ASSERT_TRUE(told.ParseFromString(rows[0].body)) << "the message stands beside the reason";
  EXPECT_EQ(told.n(), 1u);
}

class poisoned : public testing::TestWithParam<std::string> {};

/// Four ways in which a message cannot be applied; each parks its target, and no one else.
TEST_P(poisoned, message_parks_its_target_and_release_puts_it_back) {
  for (bool born : {false, true}) {
    SCOPED_TRACE(born ? "an entity with state" : "an entity that does not exist yet");
    stage s;
    if (born) {
      s.add(two, 1);
      s.settle();
    }
    if (GetParam() == "rejected") {
      s.tell(one, two, 9);
      s.db->faults().poison(two);
    } else if (GetParam() == "deadly") { // the server's process dies of its rows each time
      s.tell(one, two, 9);
      s.db->faults().deadly(two);
    } else {
      s.ask(one, spoilt(two, GetParam() == "not_evolved"), s.fresh_key());
    }
    s.pass(59s);
    expect_parked_with_message(s, static_cast<int>(s.limits.tries_before_parking));
    EXPECT_EQ(s.look(two)->code(), "parked");
    EXPECT_EQ(s.add(two)->code(), "parked");
    EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":0)"); // neighbours go on
    auto neighbour = s.add(one);
    s.settle();
    EXPECT_EQ(neighbour->code(), "ok");
    if (GetParam() != "rejected" && GetParam() != "deadly")
      continue;
    s.db->faults().heal();
    s.node->release(two);
    s.pass(10s);
    EXPECT_NE(s.view(two).find(R"("noted":1,"note_sum":9)"), std::string::npos) << s.view(two);
  }
}

INSTANTIATE_TEST_SUITE_P(failure, poisoned,
                         testing::Values("not_decided", "not_evolved", "rejected", "deadly"));

TEST(failure, own_work_that_cannot_be_stored_parks) {
  stage s;
  s.add(one);
  s.settle();
  s.ask(one, work_of(100), s.fresh_key());
  while (s.commits(one) < 4 && s.step())
    ;
  s.db->faults().poison(one);
  s.pass(59s);
  EXPECT_EQ(s.counts.parked, 1);
  s.db->faults().heal();
  s.node->release(one);
  s.pass(1s);
  EXPECT_NE(s.view(one).find(R"("worked":100)"), std::string::npos);
}

TEST(failure, parked_is_remembered_over_a_restart) {
  stage s;
  s.ask(one, spoilt(two), s.fresh_key());
  s.pass(59s);
  ASSERT_EQ(s.counts.parked, 1);
  s.crash();
  s.wake();
  s.settle();
  EXPECT_EQ(s.look(two)->code(), "parked");
  s.pass(59s);
  EXPECT_EQ(s.counts.parked, 1);
}

TEST(failure, a_store_that_is_away_parks_nobody) {
  stage s;
  s.attempts = 2;
  s.crash();
  s.add(one);
  s.settle();
  s.tell(one, two);
  s.settle();
  s.db->faults().down();
  s.add(one);
  s.tell(one, two);
  s.pass(50s);
  EXPECT_EQ(s.counts.parked, 0);
  s.db->faults().heal();
  s.pass(30s);
  EXPECT_EQ(s.add(one)->times, 0);
  s.settle();
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":2)");
}

TEST(failure, fenced_ends_the_hosts_of_the_shard_and_their_requests_are_retryable) {
  stage s;
  s.add(one);
  s.add(two);
  s.settle();
  ASSERT_NE(shard_of(one), shard_of(two));
  s.db->faults().fence(shard_of(one));
  auto h = s.add(one);
  auto read = s.look(one);
  auto other = s.add(two);
  s.settle();
  EXPECT_EQ(h->times, 1);
  ASSERT_TRUE(std::holds_alternative<error>(h->what));
  EXPECT_TRUE(is_retryable(std::get<error>(h->what).code));
  EXPECT_TRUE(is_retryable(std::get<error>(read->what).code));
  EXPECT_EQ(other->code(), "ok");
  EXPECT_EQ(s.node->resident_count(), 1u);

  EXPECT_EQ(s.add(one)->code(), "moved"); // until the shard has been taken again
  s.db->take_over(shard_of(one));         // ours again, under a new epoch
  s.node->open(shard_of(one));
  s.pass(15s);
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":1)");
}

TEST(failure, without_a_lease_nothing_is_served_and_nothing_is_lost) {
  stage s;
  s.tell(one, two, 1);
  s.settle();
  s.serving = false;
  EXPECT_EQ(s.add(one)->code(), "not_ready");
  EXPECT_EQ(s.look(one)->code(), "not_ready");
  s.serving = true;
  s.hosts.lose = 100;
  s.tell(one, two, 2);
  s.settle();
  s.hosts.lose = 0;
  s.crash();
  s.serving = false; // the lease lapses while the start is waking
  s.wake();
  s.pass(5s);
  s.serving = true;
  s.pass(30s);
  EXPECT_NE(s.view(two).find(R"("noted":2,"note_sum":3)"), std::string::npos) << s.view(two);
}

TEST(failure, an_entity_of_no_kind_is_not_found) {
  stage s;
  EXPECT_EQ(s.look({"ghost", one.id})->code(), "not_found");
}

TEST(failure, stop_answers_everything) {
  stage s;
  auto a = s.add(one);
  auto b = s.look(two);
  s.hosts.run_all();
  s.node->stop();
  s.hosts.run_all();
  EXPECT_EQ(a->code(), "not_ready");
  EXPECT_EQ(b->code(), "not_ready");
  EXPECT_EQ(s.add(one)->code(), "not_ready");
  EXPECT_EQ(s.counts.mailbox, 0);
}

} // namespace
} // namespace rahat
