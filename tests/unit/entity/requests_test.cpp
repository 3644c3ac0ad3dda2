// Client requests: one effect and one answer per id, whatever happens in between.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

const auto one = probe_ref(1);

probe::Command flag(void (probe::Command::*set)(bool)) {
  probe::Command c;
  (c.*set)(true);
  return c;
}

host_limits small_ring() {
  host_limits l;
  l.request_ring = 4;
  l.speculative = 3;
  return l;
}

TEST(requests, a_retry_after_the_commit_hears_the_same_and_does_nothing) {
  stage s;
  auto first = s.ask(one, add_of(5), "k");
  s.settle();
  s.add(one, 100);
  s.settle();
  auto again = s.ask(one, add_of(5), "k");
  s.settle();
  EXPECT_EQ(again->times, 1);
  EXPECT_EQ(again->body(), first->body());
  EXPECT_EQ(again->reply()->version(), 1u);
  EXPECT_EQ(s.commits(one), 2u);
  EXPECT_EQ(s.counts.repeated, 1);
}

TEST(requests, a_retry_after_a_crash_hears_the_same) {
  stage s;
  auto first = s.ask(one, add_of(5), "k");
  s.settle();
  s.crash();
  auto again = s.ask(one, add_of(5), "k");
  auto other = s.ask(one, add_of(6), "k");
  s.settle();
  EXPECT_EQ(again->body(), first->body());
  EXPECT_EQ(other->code(), "idempotency_key_reused");
  EXPECT_EQ(s.commits(one), 1u);
}

TEST(requests, a_request_whose_reply_was_lost_in_a_crash_is_not_done_twice) {
  stage s;
  auto lost = s.ask(one, add_of(5), "k");
  s.hosts.run_all();
  while (s.commits(one) == 0 && s.db->run_one())
    ;
  s.crash();
  EXPECT_EQ(lost->code(), "unavailable");
  auto again = s.ask(one, add_of(5), "k");
  s.settle();
  EXPECT_EQ(again->body(), R"({"answer":5})");
  EXPECT_EQ(s.commits(one), 1u);
}

TEST(requests, a_retry_after_passivation_hears_the_same) {
  stage s;
  auto first = s.ask(one, add_of(5), "k");
  s.settle();
  s.pass(s.limits.passivate_after * 2);
  EXPECT_EQ(s.node->resident_count(), 0u);
  auto again = s.ask(one, add_of(5), "k");
  s.settle();
  EXPECT_EQ(again->body(), first->body());
  EXPECT_EQ(s.commits(one), 1u);
}

TEST(requests, an_id_that_has_left_the_ring_is_found_in_the_store) {
  stage s(0, small_ring());
  auto first = s.ask(one, add_of(5), "k");
  s.settle();
  for (int i = 0; i < 10; ++i) {
    s.add(one);
    s.settle();
  }
  for (bool restarted : {false, true}) {
    if (restarted)
      s.crash();
    auto again = s.ask(one, add_of(5), "k");
    auto other = s.ask(one, add_of(6), "k");
    s.settle();
    EXPECT_EQ(again->body(), first->body());
    EXPECT_EQ(other->code(), "idempotency_key_reused");
    EXPECT_EQ(s.commits(one), 11u);
  }
}

TEST(requests, a_store_that_cannot_be_asked_decides_nothing) {
  stage s(0, small_ring());
  s.ask(one, add_of(5), "k");
  for (int i = 0; i < 5; ++i) {
    s.add(one);
    s.settle();
  }
  auto again = s.ask(one, add_of(5), "k");
  auto behind = s.look(one);
  s.hosts.run_all();
  s.db->faults().down();
  s.settle();
  EXPECT_EQ(again->code(), "unavailable");
  EXPECT_EQ(behind->code(), "ok");
  s.db->faults().heal();
  EXPECT_EQ(s.commits(one), 6u);
}

TEST(requests, late_answers_reach_everybody_who_waits) {
  stage s;
  auto ask = flag(&probe::Command::set_postpone);
  auto first = s.ask(one, ask, "k");
  auto second = s.ask(one, ask, "k");
  s.settle();
  auto third = s.ask(one, ask, "k");
  s.settle();
  EXPECT_FALSE(first->answered() || second->answered() || third->answered());
  s.add(one, 7);
  s.settle();
  auto answering = s.ask(one, flag(&probe::Command::set_answer), s.fresh_key());
  auto fourth = s.ask(one, ask, "k"); // its answer is decided and not committed
  s.hosts.run_all();
  EXPECT_FALSE(first->answered() || fourth->answered());
  s.settle();
  for (auto& h : {first, second, third, fourth}) {
    EXPECT_EQ(h->times, 1);
    EXPECT_EQ(h->body(), R"({"answer":7})");
  }
  auto fifth = s.ask(one, ask, "k");
  s.settle();
  EXPECT_EQ(fifth->body(), R"({"answer":7})");
  s.crash(); // the journal knows that it has been answered
  auto sixth = s.ask(one, ask, "k");
  s.settle();
  EXPECT_EQ(sixth->body(), R"({"answer":7})");
}

TEST(requests, who_waits_for_a_late_answer_survives_a_restart_by_asking_again) {
  stage s;
  auto ask = flag(&probe::Command::set_postpone);
  s.add(one, 9);
  auto first = s.ask(one, ask, "k");
  s.settle();
  s.crash();
  EXPECT_EQ(first->code(), "unavailable");
  auto again = s.ask(one, ask, "k");
  s.settle();
  EXPECT_FALSE(again->answered());
  s.ask(one, flag(&probe::Command::set_answer), s.fresh_key());
  s.settle();
  EXPECT_EQ(again->body(), R"({"answer":9})");
  EXPECT_EQ(s.commits(one), 3u);
}

TEST(requests, a_late_answer_without_content_is_the_view) {
  stage s;
  auto h = s.ask(one, flag(&probe::Command::set_postpone), "k");
  s.settle();
  s.ask(one, flag(&probe::Command::set_answer_with_view), s.fresh_key());
  s.settle();
  EXPECT_EQ(h->body(), s.view(one));
}

TEST(requests, a_postponed_answer_is_not_given_at_once_even_if_nothing_else_happened) {
  stage s;
  auto h = s.ask(one, flag(&probe::Command::set_postpone_bare), "k");
  s.settle();
  EXPECT_FALSE(h->answered());
  EXPECT_EQ(s.commits(one), 1u);
}

TEST(requests, those_who_wait_for_one_answer_are_bounded) {
  stage s;
  auto ask = flag(&probe::Command::set_postpone);
  std::vector<hearing> all;
  for (std::uint32_t i = 0; i <= s.limits.waiters; ++i) {
    all.push_back(s.ask(one, ask, "k"));
    s.settle();
  }
  EXPECT_EQ(all.back()->code(), "overloaded");
  EXPECT_FALSE(all.front()->answered());
}

/// The lookup in the store reads "no answer yet"; before the host hears that, a timer gives the
/// answer and that commits. The client must not wait for ever.
TEST(requests, an_answer_that_overtakes_a_lookup_is_not_missed) {
  stage s(0, small_ring());
  auto ask = flag(&probe::Command::set_postpone);
  s.ask(one, ask, "k");
  s.settle();
  for (int i = 0; i < 6; ++i) {
    s.add(one);
    s.settle();
  }
  s.ask(one, timer_of("answer", s.time.now_us() + 1'000'000), s.fresh_key());
  s.settle();
  s.hosts.keep_found = true;
  auto again = s.ask(one, ask, "k");
  s.pass(std::chrono::seconds(2)); // it was read, and the timer fired
  EXPECT_FALSE(again->answered());
  s.hosts.let_found();
  s.settle();
  EXPECT_EQ(again->times, 1);
  EXPECT_EQ(again->body(), R"({"answer":6})");
}

TEST(requests, the_same_over_many_interleavings) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    stage s(seed, small_ring());
    auto ask = flag(&probe::Command::set_postpone);
    auto first = s.ask(one, ask, "k");
    s.settle();
    for (int i = 0; i < 6; ++i) {
      s.add(one);
      s.settle();
    }
    std::vector<hearing> all{first};
    s.ask(one, flag(&probe::Command::set_answer), s.fresh_key());
    for (int i = 0; i < 5; ++i) {
      all.push_back(s.ask(one, ask, "k"));
      for (auto steps = s.dice() % 6; steps > 0; --steps)
        s.step();
    }
    s.settle();
    for (auto& h : all) {
      ASSERT_EQ(h->times, 1);
      ASSERT_EQ(h->body(), R"({"answer":6})");
    }
  }
}

TEST(requests, if_match_compares_with_what_was_decided_last) {
  stage s;
  s.add(one);
  s.settle();
  auto r = s.request_of(one, add_of(1), s.fresh_key());
  r.if_match = 1;
  auto good = s.ask(r);
  auto stale = s.request_of(one, add_of(1), s.fresh_key());
  stale.if_match = 1; // the first one has been decided by then
  auto bad = s.ask(stale);
  auto repeated = s.ask(r); // a retry is the same request, whatever has happened since
  s.settle();
  EXPECT_EQ(good->code(), "ok");
  EXPECT_EQ(bad->code(), "precondition_failed");
  EXPECT_EQ(repeated->body(), good->body());
}

TEST(requests, preconditions_hold_for_the_versions_that_they_list) {
  struct row {
    const char* what;
    std::optional<version_list> match;
    std::optional<version_list> none_match;
    const char* of_nothing; // seq 0
    const char* of_two;     // seq 2
  };
  auto list = [](std::vector<std::uint64_t> versions, bool any = false) {
    version_list out;
    out.versions = std::move(versions);
    out.any = any;
    return std::optional(out);
  };
  const row table[] = {
      {"none", {}, {}, "ok", "ok"},
      {"its version", list({2}), {}, "precondition_failed", "ok"},
      {"among others", list({9, 2, 1}), {}, "precondition_failed", "ok"},
      {"another", list({1}), {}, "precondition_failed", "precondition_failed"},
      {"nothing at all", list({}), {}, "precondition_failed", "precondition_failed"},
      {"zero", list({0}), {}, "precondition_failed", "precondition_failed"},
      {"whichever", list({}, true), {}, "precondition_failed", "ok"},
      {"not its version", {}, list({2}), "ok", "precondition_failed"},
      {"not another", {}, list({1, 3}), "ok", "ok"},
      {"not there", {}, list({}, true), "ok", "precondition_failed"},
      {"both", list({2}), list({1}), "precondition_failed", "ok"},
  };
  for (auto& one_row : table)
    for (bool there : {false, true}) {
      stage s;
      for (int i = 0; there && i < 2; ++i)
        s.add(one);
      s.settle();
      auto before = s.commits(one);
      auto r = s.request_of(one, add_of(1), "k");
      r.if_match = one_row.match;
      r.if_none_match = one_row.none_match;
      auto heard = s.ask(r);
      s.settle();
      std::string expected = there ? one_row.of_two : one_row.of_nothing;
      EXPECT_EQ(heard->code(), expected) << one_row.what << there;
      EXPECT_EQ(s.commits(one) - before, expected == "ok" ? 1u : 0u) << one_row.what << there;
    }
}

/// The audit chain's place of a repeated answer is that of the first one, however it is found:
/// uncommitted, in the store, after a restart, after it has left the ring, or given late.
TEST(requests, a_repeated_answer_says_where_the_first_one_stands) {
  stage s(0, small_ring());
  s.add(one);
  auto first = s.ask(one, add_of(5), "k");
  s.hosts.run_all();
  auto at_once = s.ask(one, add_of(5), "k"); // not committed yet, and another commit is behind it
  s.add(one);
  s.settle();
  ASSERT_EQ(first->code(), "ok");
  auto where = first->reply()->position();
  EXPECT_EQ(where, 2u);
  EXPECT_EQ(at_once->reply()->position(), where);
  auto expect_again = [&](const std::string& key, const probe::Command& what, std::uint64_t place) {
    auto again = s.ask(one, what, key);
    s.settle();
    ASSERT_EQ(again->code(), "ok");
    EXPECT_EQ(again->reply()->position(), place);
  };
  expect_again("k", add_of(5), where);
  s.crash();
  expect_again("k", add_of(5), where);

  auto late = flag(&probe::Command::set_postpone);
  auto asked = s.ask(one, late, "late");
  s.add(one); // the answer is not in the commit that the question was
  s.settle();
  s.ask(one, flag(&probe::Command::set_answer), s.fresh_key());
  s.settle();
  ASSERT_EQ(asked->code(), "ok");
  auto answered = asked->reply()->position();
  EXPECT_EQ(answered, s.commits(one));
  expect_again("late", late, answered);
  for (int i = 0; i < 10; ++i) {
    s.add(one);
    s.settle();
  }
  expect_again("late", late, answered);
  expect_again("k", add_of(5), where);
}

TEST(requests, mail_past_its_deadline_is_dropped_before_it_is_decided) {
  stage s;
  auto r = s.request_of(one, add_of(1), s.fresh_key());
  r.deadline = s.time.steady() + std::chrono::seconds(1);
  auto late = s.ask(r);
  s.time.advance_us(2'000'000);
  s.settle();
  EXPECT_EQ(late->code(), "timed_out");
  EXPECT_EQ(s.commits(one), 0u);
}

TEST(requests, a_decision_is_told_even_if_its_deadline_has_passed_meanwhile) {
  stage s;
  auto r = s.request_of(one, add_of(1), s.fresh_key());
  r.deadline = s.time.steady() + std::chrono::seconds(1);
  auto h = s.ask(r);
  while (!s.db->idle() || s.hosts.waiting() > 0 || s.hosts.alive() == 0)
    if (s.commits(one) > 0 || !s.step())
      break;
  s.time.advance_us(2'000'000);
  s.settle();
  EXPECT_EQ(h->code(), "ok");
}

TEST(requests, a_request_that_cannot_be_decided_is_told_internal_and_harms_nobody) {
  stage s;
  s.add(one, 3);
  auto bad = s.ask(one, flag(&probe::Command::set_fail), s.fresh_key());
  auto good = s.add(one, 4);
  s.settle();
  EXPECT_EQ(bad->code(), "internal");
  EXPECT_EQ(good->body(), R"({"answer":7})");
  EXPECT_EQ(s.counts.restarted, 0);
}

} // namespace
} // namespace rahat
