// What clients may see: questions that change nothing, and entities that do not exist for them yet.
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

} // namespace
} // namespace rahat
