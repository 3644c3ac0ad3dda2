// R1: nothing that depends on an uncommitted event leaves a host.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

const auto one = probe_ref(1);
const auto two = probe_ref(2);

/// A stage with entity one in memory and a first commit behind it.
class release : public testing::Test {
protected:
  release() {
    s.attempts = 3;
    s.crash();
    s.add(one, 10);
    s.settle();
    s.events.clear();
    s.hosts.told = s.hosts.acknowledged = 0;
  }

  /// The store gives up the commits that wait: their outcome is a failure.
  void lose_commits() {
    s.db->faults().down();
    s.db->run_all();
    s.db->faults().heal();
    s.hosts.run_all();
  }

  stage s;
};

probe::Command nothing() {
  probe::Command c;
  c.set_nothing(true);
  return c;
}

probe::Command reject() {
  probe::Command c;
  c.set_reject("not now");
  return c;
}

/// Everything that a client can be told while a commit is on its way.
struct questions {
  explicit questions(stage& s) {
    auto first = s.request_of(one, add_of(5), "k");
    reply = s.ask(first);
    duplicate = s.ask(first);
    auto other = s.request_of(one, add_of(6), "k");
    reused = s.ask(other);
    refusal = s.ask(one, reject(), s.fresh_key());
    no_op = s.ask(one, nothing(), s.fresh_key());
    look = s.look(one);
    auto stale = s.request_of(one, add_of(7), s.fresh_key());
    stale.if_match = 1;
    mismatch = s.ask(stale);
  }

  std::vector<std::pair<std::string, hearing>> all() const {
    return {{"reply", reply}, {"duplicate", duplicate}, {"reused", reused},    {"refusal", refusal},
            {"no_op", no_op}, {"look", look},           {"mismatch", mismatch}};
  }

  hearing reply, duplicate, reused, refusal, no_op, look, mismatch;
};

TEST_F(release, nothing_is_answered_before_the_commit_of_what_it_saw) {
  questions q(s);
  s.hosts.run_all();
  for (auto& [name, h] : q.all())
    EXPECT_FALSE(h->answered()) << name;
  EXPECT_TRUE(s.events.empty());

  s.settle();
  for (auto& [name, h] : q.all())
    EXPECT_EQ(h->times, 1) << name;
  EXPECT_EQ(q.reply->body(), R"({"answer":15})");
  EXPECT_EQ(q.duplicate->body(), R"({"answer":15})");
  EXPECT_EQ(q.reply->reply()->version(), 2u);
  EXPECT_GT(q.reply->reply()->position(), 0u);
  EXPECT_EQ(q.reused->code(), "idempotency_key_reused");
  EXPECT_EQ(q.refusal->code(), "wrong_status");
  EXPECT_EQ(q.no_op->code(), "ok");
  EXPECT_EQ(q.no_op->reply()->version(), 2u);
  EXPECT_EQ(q.look->view()->version, 2u);
  EXPECT_EQ(q.mismatch->code(), "precondition_failed");
  ASSERT_EQ(s.events.size(), 1u);
  EXPECT_EQ(s.events[0].seq, 2u);
  EXPECT_EQ(s.commits(one), 2u);
}

TEST_F(release, all_of_it_fails_as_retryable_when_the_commit_fails) {
  questions q(s);
  s.hosts.run_all();
  lose_commits();
  for (auto& [name, h] : q.all()) {
    ASSERT_EQ(h->times, 1) << name;
    ASSERT_TRUE(std::holds_alternative<error>(h->what)) << name;
    EXPECT_TRUE(is_retryable(std::get<error>(h->what).code)) << name << ' ' << h->code();
  }
  EXPECT_TRUE(s.events.empty());
  s.pass(std::chrono::seconds(1));
  EXPECT_EQ(s.view(one).substr(0, 9), R"({"sum":10)");
  EXPECT_EQ(s.ask(one, add_of(5), "k")->times, 0);
  s.settle();
  EXPECT_EQ(s.view(one).substr(0, 9), R"({"sum":15)");
}

TEST_F(release, messages_are_handed_over_after_the_commit_only) {
  auto h = s.tell(one, two, 3);
  s.hosts.run_all();
  EXPECT_EQ(s.hosts.told, 0u);
  lose_commits();
  EXPECT_EQ(s.hosts.told, 0u);
  EXPECT_EQ(h->code(), "unavailable");
  s.pass(std::chrono::seconds(1));
  EXPECT_EQ(s.view(two), "not_found");

  s.tell(one, two, 3);
  s.settle();
  EXPECT_EQ(s.hosts.told, 1u);
  EXPECT_NE(s.view(two).find(R"("note_sum":3)"), std::string::npos);
}

wire::Told note(std::int64_t n) {
  probe::Message m;
  m.set_n(n);
  wire::Told told;
  told.set_message(m.SerializeAsString());
  return told;
}

/// The mutant of R1: the second copy of a message is acknowledged at once, then the commit of the
/// first one fails, and the source has deleted it: money that nobody will ever be told of.
TEST_F(release, a_duplicate_message_is_not_acknowledged_before_its_first_copy_has_committed) {
  s.add(two, 1); // the source is in memory
  s.settle();
  auto body = note(4).SerializeAsString();
  s.node->tell(two, one, 1, body);
  s.node->tell(two, one, 1, body);
  s.hosts.run_all();
  EXPECT_EQ(s.hosts.acknowledged, 0u);
  lose_commits();
  EXPECT_EQ(s.hosts.acknowledged, 0u);

  s.pass(std::chrono::seconds(1));
  s.hosts.acknowledged = 0;
  s.node->tell(two, one, 1, body);
  s.node->tell(two, one, 1, body);
  s.settle();
  EXPECT_EQ(s.hosts.acknowledged, 2u);
  EXPECT_NE(s.view(one).find(R"("noted":1,"note_sum":4)"), std::string::npos);
}

TEST_F(release, a_refusal_that_leaves_a_trace_is_committed_and_told_once) {
  probe::Command c;
  c.set_refuse_with_event(true);
  auto first = s.ask(one, c, "wrong");
  s.hosts.run_all();
  EXPECT_FALSE(first->answered());
  s.settle();
  EXPECT_EQ(first->code(), "wrong_code");
  auto again = s.ask(one, c, "wrong");
  s.settle();
  EXPECT_EQ(again->code(), "wrong_code");
  EXPECT_NE(s.view(one).find(R"("refused":1)"), std::string::npos);
}

TEST_F(release, answers_come_in_the_order_of_the_decisions) {
  std::vector<hearing> all;
  for (int i = 1; i <= 20; ++i)
    all.push_back(s.add(one, 1));
  s.settle();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(all[static_cast<std::size_t>(i)]->body(),
              R"({"answer":)" + std::to_string(11 + i) + "}");
}

} // namespace
} // namespace rahat
