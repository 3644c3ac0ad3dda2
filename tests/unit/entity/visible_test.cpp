// What clients may see: questions that change nothing, and entities that do not exist for them yet.
#include "runtime/decider/account.hpp"
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

const auto one = probe_ref(1);

probe::Command question() {
  probe::Command c;
  c.set_nothing(true);
  return c;
}

hearing ask_without_id(stage& s, const probe::Command& what) {
  auto r = s.request_of(one, what, "k");
  r.id = {};
  return s.ask(std::move(r));
}

TEST(question, is_answered_each_time_anew_and_remembered_by_nobody) {
  host_limits limits;
  limits.request_ring = 4;
  stage s{0, limits};
  auto first = s.ask(one, add_of(5), "the first");
  s.settle();
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(ask_without_id(s, question()));
  s.settle();
  s.add(one, 2);
  s.settle();
  auto again = ask_without_id(s, question());
  s.settle();
  EXPECT_NE(again->body().find("\"sum\":7"), std::string::npos) << again->body();
  EXPECT_EQ(s.commits(one), 2u);
  EXPECT_EQ(s.counts.repeated, 0);
  auto retry = s.ask(one, add_of(5), "the first"); // it has not been pushed out of the ring
  s.settle();
  EXPECT_EQ(retry->body(), first->body());
  EXPECT_EQ(s.commits(one), 2u);
}

TEST(question, waits_for_what_its_answer_depends_on) {
  stage s;
  s.add(one, 5);
  s.hosts.run_all();
  while (s.commits(one) == 0 && s.db->run_one()) // loaded, not yet committed
    s.hosts.run_all();
  s.settle();
  s.add(one, 3);
  auto asked = ask_without_id(s, question());
  s.hosts.run_all();
  EXPECT_FALSE(asked->answered()) << "the sum of 8 has not committed";
  s.settle();
  EXPECT_NE(asked->body().find("\"sum\":8"), std::string::npos) << asked->body();
}

TEST(question, that_would_change_something_is_refused_and_changes_nothing) {
  stage s;
  s.add(one, 5);
  s.settle();
  auto wrong = ask_without_id(s, add_of(1));
  s.settle();
  EXPECT_EQ(wrong->code(), "internal");
  EXPECT_EQ(s.commits(one), 1u);
  EXPECT_EQ(s.counts.restarted, 0);
  EXPECT_NE(s.view(one).find("\"sum\":5"), std::string::npos);
}

/// Exists for clients once it has a sum.
struct shy_probe : ledger_probe {
  static bool exists(const state& now) { return now.sum() != 0; }
};

std::unique_ptr<kind> shy_kind() {
  presenter<shy_probe> show{[](const probe::State& now, const entity_ref&, std::uint64_t) {
                              return "{\"sum\":" + std::to_string(now.sum()) + "}";
                            },
                            [](const probe::Answer&) { return std::string{"{}"}; }};
  return std::make_unique<kind_of<shy_probe>>(show);
}

std::size_t listed(stage& s) {
  std::optional<std::size_t> count;
  list_query all;
  all.kind = "probe";
  s.db->list(all,
             [&](std::variant<page, error> found) { count = std::get<page>(found).items.size(); });
  s.settle();
  return count.value_or(999);
}

TEST(exists, an_entity_with_commits_may_not_be_there_for_clients) {
  stage s;
  s.kinds = {};
  s.kinds.add(shy_kind());
  probe::Command refused;
  refused.set_refuse_with_event(true);
  s.ask(one, refused, "k");
  s.settle();
  ASSERT_EQ(s.commits(one), 1u);
  auto before = s.look(one);
  s.settle();
  EXPECT_EQ(before->code(), "not_found");
  EXPECT_EQ(listed(s), 0u);
  ASSERT_EQ(s.events.size(), 1u) << "positions stay dense";
  EXPECT_EQ(s.events[0].view, nullptr);

  s.add(one, 5);
  s.settle();
  auto after = s.look(one);
  s.settle();
  ASSERT_NE(after->view(), nullptr);
  EXPECT_EQ(*after->view()->json, "{\"sum\":5}");
  EXPECT_EQ(after->view()->version, 2u);
  EXPECT_EQ(listed(s), 1u);
  EXPECT_NE(s.events.at(1).view, nullptr);
}

/// Says no more to whoever asks it before it exists than that it does not: records nothing, as the
/// real kinds do. Answers are messages of n = 100.
struct unknown_probe : shy_probe {
  static decision told(const state& now, const message& what, const context& ctx) {
    if (exists(now))
      return shy_probe::told(now, what, ctx);
    probe::Message unknown;
    unknown.set_n(100);
    decision d;
    d.tell(ctx.source, unknown);
    return d;
  }
};

std::unique_ptr<kind> unknown_kind() {
  presenter<unknown_probe> show{[](const probe::State& now, const entity_ref&, std::uint64_t) {
                                  return "{\"sum\":" + std::to_string(now.sum()) +
                                         ",\"noted\":" + std::to_string(now.noted()) +
                                         ",\"note_sum\":" + std::to_string(now.note_sum()) + "}";
                                },
                                [](const probe::Answer&) { return std::string{"{}"}; }};
  return std::make_unique<kind_of<unknown_probe>>(show);
}

const auto asker = probe_ref(2);

/// `asker` exists and has asked `one`, which does not.
void ask_the_unknown(stage& s) {
  s.kinds = {};
  s.kinds.add(unknown_kind());
  s.add(asker, 7);
  s.settle();
  s.tell(asker, one, 3);
  s.settle();
}

TEST(asked_before_it_exists, leaves_a_row_of_the_journal_that_nobody_sees) {
  stage s;
  ask_the_unknown(s);
  ASSERT_EQ(s.commits(one), 1u);
  EXPECT_EQ(s.rows->journal_of(one)[0].type, "probe.noted");
  EXPECT_EQ(s.view(asker), R"({"sum":7,"noted":1,"note_sum":100})") << "it has its answer";
  for (int life = 0; life < 2; ++life) {
    auto seen = s.look(one);
    s.settle();
    EXPECT_EQ(seen->code(), "not_found");
    EXPECT_EQ(listed(s), 1u) << "only the asker";
    s.crash();
  }
  for (auto& event : s.events) {
    EXPECT_EQ(event.view == nullptr, event.entity == one) << event.type;
  }
}

TEST(asked_before_it_exists, remembers_whom_it_has_answered) {
  stage s;
  ask_the_unknown(s);
  s.crash();
  wire::Told again;
  assign(*again.mutable_source(), asker);
  again.set_n(1);
  again.set_message(probe::Message().SerializeAsString());
  s.node->tell(asker, one, 1, again.SerializeAsString());
  s.settle();
  EXPECT_EQ(s.commits(one), 1u) << "a copy of an answered question is answered by nobody";
  EXPECT_EQ(s.view(asker), R"({"sum":7,"noted":1,"note_sum":100})");
}

TEST(asked_before_it_exists, can_still_be_created_and_goes_on_where_its_asker_stands) {
  for (bool crashed : {false, true}) {
    stage s;
    ask_the_unknown(s);
    if (crashed)
      s.crash();
    auto made = s.ask(one, add_of(5), "create");
    s.settle();
    EXPECT_EQ(made->code(), "ok");
    EXPECT_EQ(s.view(one), R"({"sum":5,"noted":0,"note_sum":0})");
    EXPECT_EQ(listed(s), 2u);
    s.tell(asker, one, 3); // number 2 of this pair
    s.settle();
    EXPECT_EQ(s.view(one), R"({"sum":5,"noted":1,"note_sum":3})");
    auto again = s.ask(one, add_of(5), "create");
    s.settle();
    EXPECT_EQ(again->body(), made->body()) << "a retry creates nothing more";
  }
}

} // namespace
} // namespace rahat
