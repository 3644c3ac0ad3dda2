// Which shards a member releases and takes, and how it leaves.
#include "tests/unit/cluster/scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rahat::cluster {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::IsEmpty;

template <class T>
T only(const std::vector<action>& all) {
  EXPECT_EQ(all.size(), 1u);
  return all.size() == 1 && std::holds_alternative<T>(all[0]) ? std::get<T>(all[0]) : T{};
}

std::vector<shard_id> owned_by(const scene& s, std::uint8_t n) {
  std::vector<shard_id> out;
  for (shard_id i = 0; i < shard_count; ++i)
    if (s.facts.shards[i].owner.node == node(n))
      out.push_back(i);
  return out;
}

TEST(moves, the_first_member_takes_everything_that_nobody_owns) {
  scene s(1);
  s.facts.shards.assign(shard_count, {});
  EXPECT_THAT(s.act(), ElementsAre("take 256"));
}

TEST(moves, a_member_takes_only_what_is_assigned_to_it) {
  scene s(3, 2);
  s.facts.shards.assign(shard_count, {});
  EXPECT_EQ(only<take>(s.actions()).shards, assign_shards(s.now.active()).shards_of(node(2)));
}

TEST(moves, shards_of_an_owner_that_may_still_act_are_left_alone) {
  scene s(2);
  const auto all = owned_by(s, 1);
  for (auto i : all)
    s.facts.shards[i].owner = {node(2), 1};
  EXPECT_THAT(s.act(), IsEmpty()) << "a living one";
  s.row(2).status = member_status::leaving;
  s.settle();
  EXPECT_THAT(s.act(), IsEmpty()) << "its own";
  for (auto i : all)
    s.facts.shards[i].owner = {node(2), 1};
  EXPECT_THAT(s.act(), IsEmpty()) << "a leaving one releases first";
  s.row(2).lease_until_us = scene::database_now;
  EXPECT_THAT(s.act(), ElementsAre("dead 2 lapsed")) << "lapsed is not yet dead";
}

TEST(moves, shards_of_the_dead_are_taken_when_their_last_lease_has_run_out) {
  scene s(2);
  const auto lost = owned_by(s, 2).size();
  s.row(2).status = member_status::dead;
  EXPECT_THAT(s.act(), IsEmpty()) << "it was voted out and may still answer reads";
  s.row(2).lease_until_us = scene::database_now;
  EXPECT_THAT(s.act(), ElementsAre("take " + std::to_string(lost)));
}

TEST(moves, shards_of_former_incarnations_are_free) {
  for (std::uint8_t of : {1, 2}) {
    scene s(2);
    const auto mine = owned_by(s, 1);
    for (auto i : mine)
      s.facts.shards[i].owner = {node(of), 0};
    EXPECT_EQ(only<take>(s.actions()).shards, mine) << int{of};
  }
  scene s(2);
  s.facts.shards[owned_by(s, 1).front()].owner = {node(2), 2};
  EXPECT_THAT(s.act(), IsEmpty()) << "a later incarnation than the view knows is somebody";
  s.facts.shards[owned_by(s, 1).front()].owner = {node(77), 1};
  EXPECT_THAT(s.act(), ElementsAre("take 1")) << "one whose row is gone for good";
}

TEST(moves, a_newcomer_is_given_its_shards_a_few_at_a_time) {
  scene s(1);
  s.add(2, member_status::active);
  const auto wanted = assign_shards(s.now.active()).shards_of(node(2));
  std::vector<shard_id> given;
  for (int rounds = 0; rounds < 20; ++rounds) {
    const auto all = s.actions();
    if (all.empty())
      break;
    const auto next = only<release>(all).shards;
    EXPECT_LE(next.size(), s.terms.moving_at_once);
    given.insert(given.end(), next.begin(), next.end());
    s.self.draining = next;
    EXPECT_THAT(s.act(), IsEmpty()) << "while these are drained";
    s.self.draining.clear();
    for (auto i : next)
      s.facts.shards[i].owner = {};
    EXPECT_THAT(s.act(), IsEmpty()) << "while these are not taken";
    for (auto i : next)
      s.facts.shards[i].owner = {node(2), 1};
  }
  EXPECT_EQ(given, wanted);
}

TEST(moves, only_what_this_incarnation_owns_is_released) {
  scene s(2);
  for (auto i : owned_by(s, 2))
    s.facts.shards[i].owner = {node(1), 0};
  EXPECT_THAT(s.act(), IsEmpty());
}

TEST(moves, nothing_is_given_to_one_that_could_not_take_it) {
  scene s(1);
  s.add(2, member_status::active).lease_until_us = scene::database_now;
  s.self.steady_since_us.reset();
  EXPECT_THAT(s.act(), IsEmpty());
  s.row(2).lease_until_us = scene::database_now + second;
  EXPECT_THAT(s.act(), ElementsAre("release 16"));
  s.row(2).status = member_status::joining;
  EXPECT_THAT(s.act(), IsEmpty());
}

TEST(moves, nothing_moves_by_rows_that_were_not_read) {
  scene s(1);
  s.facts.shards.clear();
  EXPECT_THAT(s.act(), IsEmpty());
  s.row(1).status = member_status::leaving;
  s.self.wanted = wish::leave;
  EXPECT_THAT(s.act(), IsEmpty()) << "nor does it leave with shards that it may own";
}

TEST(moves, a_joining_member_takes_nothing) {
  scene s(0);
  s.add(9, member_status::joining);
  s.add(1, member_status::active);
  s.be(9);
  s.lose(1);
  s.facts.shards.assign(shard_count, {});
  EXPECT_THAT(s.act(), IsEmpty());
}

TEST(moves, leaving_goes_by_giving_everything_away) {
  scene s(3);
  s.self.wanted = wish::leave;
  EXPECT_THAT(s.act(), ElementsAre("begin_leave"));
  s.row(1).status = member_status::leaving;
  const auto next = only<release>(s.actions()).shards;
  EXPECT_EQ(next.size(), 2 * s.terms.moving_at_once) << "so many to each of the two";
  s.settle();
  EXPECT_THAT(s.act(), ElementsAre("leave"));
  s.row(1).status = member_status::left;
  EXPECT_THAT(s.act(), ElementsAre("stop left"));
}

TEST(moves, the_last_one_to_leave_waits_for_nobody) {
  scene s(1);
  s.self.wanted = wish::leave;
  s.row(1).status = member_status::leaving;
  EXPECT_THAT(s.act(), ElementsAre("release 256"));
  s.facts.shards.assign(shard_count, {});
  EXPECT_THAT(s.act(), ElementsAre("leave"));
}

TEST(moves, a_drained_member_stays_until_it_is_asked_on) {
  scene s(2);
  s.self.wanted = wish::drain;
  EXPECT_THAT(s.act(), ElementsAre("begin_leave"));
  s.row(1).status = member_status::leaving;
  s.settle();
  EXPECT_THAT(s.act(), IsEmpty());
  s.self.wanted = wish::belong;
  EXPECT_THAT(s.act(), ElementsAre("stay"));
  s.self.wanted = wish::leave;
  EXPECT_THAT(s.act(), ElementsAre("leave"));
}

TEST(moves, a_drain_is_not_begun_without_somebody_who_takes) {
  scene s(1);
  s.self.wanted = wish::drain;
  EXPECT_THAT(s.act(), IsEmpty()) << "it is alone";
  s.add(2, member_status::leaving);
  s.add(3, member_status::joining);
  EXPECT_THAT(s.act(), IsEmpty()) << "others are there, and none is active";
  s.row(2).status = member_status::active;
  s.row(2).lease_until_us = scene::database_now;
  s.self.steady_since_us.reset();
  EXPECT_THAT(s.act(), IsEmpty()) << "its lease has lapsed";
  s.row(2).lease_until_us = scene::database_now + second;
  EXPECT_THAT(s.act(), ElementsAre("begin_leave", "release 16"));
}

TEST(moves, a_drain_is_taken_back_when_the_taker_dies_half_way) {
  scene s(2);
  s.self.wanted = wish::drain;
  s.row(1).status = member_status::leaving;
  const auto given = only<release>(s.actions()).shards;
  for (auto i : given)
    s.facts.shards[i].owner = {};
  s.row(2).status = member_status::dead;
  s.row(2).lease_until_us = scene::database_now;
  EXPECT_THAT(s.act(), ElementsAre("stay")) << "and releases nothing to nobody";
  s.row(1).status = member_status::active;
  const auto lost = owned_by(s, 2).size();
  EXPECT_THAT(s.act(), ElementsAre("take " + std::to_string(given.size() + lost)));
}

TEST(moves, a_drained_member_comes_back_when_the_last_active_one_lapses) {
  scene s(2);
  s.self.wanted = wish::drain;
  s.row(1).status = member_status::leaving;
  s.settle();
  s.row(2).lease_until_us = scene::database_now;
  const auto steady = s.self.steady_since_us;
  s.self.steady_since_us.reset();
  EXPECT_THAT(s.act(), IsEmpty()) << "after an outage all have lapsed";
  s.self.steady_since_us = steady;
  EXPECT_THAT(s.act(), ElementsAre("stay"));
}

TEST(moves, of_two_that_are_drained_at_once_one_stays) {
  scene s(2);
  s.self.wanted = wish::drain;
  s.row(1).status = member_status::leaving;
  s.row(2).status = member_status::leaving;
  EXPECT_THAT(s.act(), ElementsAre("stay"));
  s.be(2);
  s.self.wanted = wish::drain;
  EXPECT_THAT(s.act(), ElementsAre("stay"));
  s.row(1).status = member_status::active; // it was quicker: the other's swap is lost
  EXPECT_THAT(s.act(), ElementsAre("release 16"));
}

TEST(moves, who_joins_with_the_wish_to_drain_belongs_while_nobody_else_does) {
  scene s(0);
  s.add(1, member_status::joining);
  s.be(1);
  s.self.wanted = wish::drain;
  EXPECT_THAT(s.act(), ElementsAre("activate"));
}

TEST(moves, read_well_in_logs) {
  EXPECT_EQ(to_string(action{take{{1, 2}}}), "take 1 2");
  EXPECT_EQ(to_string(action{declare_dead{7, {node(2), 3}, death_reason::voted, 0}}),
            "declare_dead " + node(2).str() + "/3 voted");
  EXPECT_EQ(to_string(action{stop_self{stop_reason::build_too_old}}), "stop_self build_too_old");
  const auto full = std::string{explain(stop_reason::cluster_full)};
  EXPECT_THAT(full, testing::HasSubstr(std::to_string(membership_terms{}.members)));
}

} // namespace
} // namespace rahat::cluster
