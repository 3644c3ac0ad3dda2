// Feature levels: what may be written, and what a build does with what it cannot read.
#include "tests/unit/entity/stage.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

const auto one = probe_ref(1);
const auto two = probe_ref(2);

probe::Command newest() {
  probe::Command out;
  out.set_newest(true);
  return out;
}

/// Of each commit, as the journal holds it.
std::vector<std::uint32_t> levels_of(stage& s, const entity_ref& entity) {
  std::vector<std::uint32_t> out;
  for (auto& row : s.rows->journal_of(entity)) {
    wire::Commit payload;
    EXPECT_TRUE(payload.ParseFromString(row.payload));
    out.push_back(payload.level());
  }
  return out;
}

void start_as(stage& s, cluster::level build, cluster::level view) {
  s.reads = build;
  s.crash();
  s.node->view_is_at(view);
}

TEST(levels, a_decider_hears_the_lower_of_view_and_build_and_the_row_says_what_it_needs) {
  stage s;
  start_as(s, 2, 1);
  s.ask(one, newest(), "a");
  s.settle();
  s.node->view_is_at(2);
  s.ask(one, newest(), "b");
  s.settle();
  s.node->view_is_at(3);
  s.ask(one, newest(), "c");
  s.add(one, 1);
  s.settle();
  EXPECT_EQ(levels_of(s, one), (std::vector<std::uint32_t>{0, 2, 2, 0}));
}

TEST(levels, the_views_level_never_goes_back) {
  host_levels levels{3};
  levels.view_is_at(2);
  levels.view_is_at(1);
  EXPECT_EQ(levels.writes(), 2);
}

TEST(levels, a_decision_above_what_all_can_read_is_refused_and_harms_nobody) {
  stage s;
  start_as(s, 2, 1);
  probe::Command ask;
  ask.set_too_new(true);
  auto refused = s.ask(one, ask, "a");
  s.settle();
  EXPECT_EQ(refused->code(), "internal");
  EXPECT_EQ(s.commits(one), 0u);
  auto later = s.add(one);
  s.settle();
  EXPECT_EQ(later->code(), "ok");
}

TEST(levels, a_higher_row_parks_without_a_row) {
  stage s;
  start_as(s, 2, 2);
  s.ask(one, newest(), "a");
  s.settle();

  start_as(s, 1, 1);
  auto early = s.ask(one, newest(), "b");
  s.settle();
  EXPECT_EQ(early->code(), "moved") << "retryable: another node will serve it";
  EXPECT_EQ(s.too_new, std::vector{one});
  auto later = s.add(one);
  s.wake();
  s.pass(20s);
  EXPECT_EQ(later->code(), "moved");
  EXPECT_EQ(s.look(one)->code(), "moved");
  EXPECT_EQ(s.too_new, std::vector{one}) << "it is not tried again and again";
  EXPECT_THAT(s.parked(), IsEmpty());
  EXPECT_EQ(s.commits(one), 1u);
  EXPECT_EQ(s.add(two)->times, 0);
  s.settle();
  EXPECT_EQ(s.commits(two), 1u) << "others are served";

  int left = 0;
  s.node->hand_over(shard_of(one), [&] { ++left; });
  s.settle();
  EXPECT_EQ(left, 1);
  start_as(s, 2, 2);
  auto again = s.ask(one, newest(), "b");
  s.settle();
  EXPECT_EQ(again->code(), "ok");
  EXPECT_EQ(levels_of(s, one), (std::vector<std::uint32_t>{2, 2}));
}

TEST(levels, a_higher_message_stays_with_its_source) {
  stage s;
  start_as(s, 2, 2);
  auto ask = tell_of(two, 5);
  ask.mutable_tell()->set_newest(true);
  s.ask(one, ask, "a");
  while (s.commits(one) == 0)
    ASSERT_TRUE(s.step());

  start_as(s, 1, 1);
  s.wake();
  s.pass(20s);
  EXPECT_EQ(s.too_new, std::vector{two});
  EXPECT_EQ(s.commits(two), 0u);
  EXPECT_THAT(s.parked(), IsEmpty());

  start_as(s, 2, 2);
  s.wake();
  s.pass(20s);
  EXPECT_EQ(s.commits(two), 1u);
  EXPECT_NE(s.view(two).find("5"), std::string::npos) << s.view(two);
}

} // namespace
} // namespace rahat
