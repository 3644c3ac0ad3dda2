// What a member does, rule by rule: each case changes one thing of a healthy cluster.
#include "runtime/cluster/membership.hpp"

#include "tests/unit/cluster/scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace rahat::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct row {
  const char* name;
  std::uint8_t size; // active members; node 1 steps unless the change says otherwise
  std::function<void(scene&)> change;
  std::vector<std::string> does;
};

void expect_all(const std::vector<row>& table) {
  for (const auto& r : table) {
    scene s(r.size);
    r.change(s);
    EXPECT_EQ(s.act(), r.does) << r.name;
  }
}

void lapse(scene& s, std::uint8_t n) {
  s.row(n).lease_until_us = scene::database_now;
}

TEST(membership, a_healthy_member_has_nothing_to_do) {
  for (std::uint8_t size = 1; size <= 9; ++size)
    EXPECT_THAT(scene(size).act(), IsEmpty()) << int{size};
}

TEST(membership, without_an_answer_of_the_database_nothing_follows) {
  scene s(3);
  lapse(s, 1);
  lapse(s, 2);
  s.vote(1, 3);
  s.vote(2, 3);
  s.now.members.front().status = member_status::dead;
  s.facts.database_now_us.reset();
  EXPECT_THAT(s.act(), IsEmpty());
  s.self.id.incarnation = 0;
  EXPECT_THAT(s.act(), IsEmpty()) << "nobody joins either";
}

TEST(membership, the_lease) {
  expect_all({
      {"is renewed when a second of it is used",
       2,
       [](scene& s) { s.row(1).lease_until_us = scene::database_now + 2 * second; },
       {"renew"}},
      {"and not before",
       2,
       [](scene& s) { s.row(1).lease_until_us = scene::database_now + 2 * second + 1; },
       {}},
      {"lapsed: is renewed as if nothing had been, and nothing else is done",
       3,
       [](scene& s) {
         lapse(s, 1);
         lapse(s, 2);
         s.facts.shards[0] = {};
       },
       {"renew"}},
      {"far ahead: counts as lapsed",
       3,
       [](scene& s) {
         s.row(1).lease_until_us = scene::database_now + 6 * second + 1;
         lapse(s, 2);
       },
       {"renew"}},
      {"not served any more by the own clock: nothing but to renew",
       3,
       [](scene& s) {
         s.row(1).lease_until_us = scene::database_now + second;
         s.self.serving = false;
         lapse(s, 2);
       },
       {"renew"}},
      {"of a wedged node: lets go",
       2,
       [](scene& s) {
         lapse(s, 1);
         s.self.beating = false;
       },
       {}},
  });
}

TEST(membership, the_own_row_that_is_over_means_stop_and_nothing_else) {
  const auto busy = [](scene& s) { // there would be a lot to do
    lapse(s, 2);
    s.vote(2, 3);
    s.facts.shards[0] = {};
  };
  expect_all({
      {"dead",
       3,
       [&](scene& s) {
         busy(s);
         s.row(1).status = member_status::dead;
       },
       {"stop declared_dead"}},
      {"left",
       3,
       [&](scene& s) {
         busy(s);
         s.row(1).status = member_status::left;
       },
       {"stop left"}},
      {"superseded",
       3,
       [&](scene& s) {
         busy(s);
         s.row(1).incarnation = 2;
       },
       {"stop superseded"}},
      {"gone",
       3,
       [&](scene& s) {
         busy(s);
         s.now.members.erase(s.now.members.begin());
       },
       {"stop row_gone"}},
      {"an older incarnation than the own",
       3,
       [&](scene& s) {
         busy(s);
         s.self.id.incarnation = 2;
       },
       {"stop row_gone"}},
      {"the level rose above what the build reads",
       3,
       [&](scene& s) {
         busy(s);
         s.now.feature_level = 2;
       },
       {"stop build_too_old"}},
  });
}

TEST(membership, a_lapsed_member_may_be_declared_dead) {
  expect_all({
      {"at the microsecond", 3, [](scene& s) { lapse(s, 2); }, {"dead 2 lapsed"}},
      {"and not before",
       3,
       [](scene& s) { s.row(2).lease_until_us = scene::database_now + 1; },
       {}},
      {"a lease further ahead than twice its length is none",
       3,
       [](scene& s) { s.row(2).lease_until_us = scene::database_now + 6 * second + 1; },
       {"dead 2 lapsed"}},
      {"up to twice it is one",
       3,
       [](scene& s) { s.row(2).lease_until_us = scene::database_now + 6 * second; },
       {}},
      {"one a step: the next is judged by the next view",
       3,
       [](scene& s) {
         lapse(s, 2);
         lapse(s, 3);
       },
       {"dead 2 lapsed"}},
      {"whether it answers or not",
       3,
       [](scene& s) {
         lapse(s, 2);
         s.lose(2);
       },
       {"dead 2 lapsed"}},
      {"by one who is cut off itself, too: it is the database that says so",
       3,
       [](scene& s) {
         lapse(s, 2);
         s.lose(2);
         s.lose(3);
       },
       {"dead 2 lapsed"}},
      {"in each status that is not over",
       3,
       [](scene& s) {
         s.row(2).status = member_status::left;
         s.row(3).status = member_status::dead;
         s.settle();
         s.add(4, member_status::joining);
         s.add(5, member_status::leaving);
         for (std::uint8_t n = 2; n <= 5; ++n)
           lapse(s, n);
       },
       {"dead 4 lapsed"}},
      {"by a leaving one, which would else wait for ever for it to take",
       2,
       [](scene& s) {
         s.row(1).status = member_status::leaving;
         s.self.wanted = wish::leave;
         lapse(s, 2);
       },
       {"dead 2 lapsed"}},
      {"not by a joining one",
       2,
       [](scene& s) {
         s.row(1).status = member_status::joining;
         s.lose(2);
         s.add(3, member_status::joining);
         lapse(s, 3);
       },
       {}},
  });
}

TEST(membership, nobody_judges_who_is_not_steady) {
  const auto both = [](scene& s) {
    lapse(s, 2);
    s.lose(3);
  };
  expect_all({
      {"renewals have run for too short a time",
       5,
       [&](scene& s) {
         both(s);
         s.self.steady_since_us = scene::boot_now - s.terms.judge_after_us + 1;
       },
       {}},
      {"for long enough",
       5,
       [&](scene& s) {
         both(s);
         s.self.steady_since_us = scene::boot_now - s.terms.judge_after_us;
       },
       {"dead 2 lapsed"}},
      {"they have a gap now",
       5,
       [&](scene& s) {
         both(s);
         s.self.steady_since_us.reset();
       },
       {}},
      {"the database's clock was set ahead since",
       5,
       [&](scene& s) {
         both(s);
         s.self.clock_offset_us -= s.terms.clock_jump_us + 1;
       },
       {}},
      {"or back",
       5,
       [&](scene& s) {
         both(s);
         s.self.clock_offset_us += s.terms.clock_jump_us + 1;
       },
       {}},
  });
}

TEST(membership, the_write_of_a_death_names_what_it_relies_on) {
  scene s(3);
  s.row(2).lease_until_us = scene::database_now - 5;
  const declare_dead expected{7, {node(2), 1}, death_reason::lapsed, scene::database_now - 5};
  EXPECT_THAT(s.actions(), ElementsAre(action{expected}));
}

TEST(membership, a_vote_is_given) {
  expect_all({
      {"against who has not answered for long enough",
       3,
       [](scene& s) { s.lose(2, s.terms.suspect_after_us); },
       {"vote 2"}},
      {"not sooner", 3, [](scene& s) { s.lose(2, s.terms.suspect_after_us - 1); }, {}},
      {"against each of several",
       5,
       [](scene& s) {
         s.lose(2);
         s.lose(4);
       },
       {"vote 2", "vote 4"}},
      {"once",
       3,
       [](scene& s) {
         s.lose(2);
         s.vote(1, 2);
       },
       {}},
      {"again when it is half as old as it may be",
       3,
       [](scene& s) {
         s.lose(2);
         s.vote(1, 2, s.terms.vote_expiry_us / 2);
       },
       {"vote 2"}},
      {"and taken back when the peer answers", 3, [](scene& s) { s.vote(1, 2); }, {"withdraw 2"}},
      {"not against one that nothing is known of",
       3,
       [](scene& s) {
         std::erase_if(s.facts.peers, [](auto& r) { return r.peer.node == node(2); });
       },
       {}},
      {"not by what a former incarnation did",
       3,
       [](scene& s) {
         s.lose(2);
         s.row(2).incarnation = 2;
         s.settle();
       },
       {}},
      {"not against a joining or leaving one",
       3,
       [](scene& s) {
         s.add(4, member_status::joining);
         s.add(5, member_status::leaving);
         s.lose(4);
         s.lose(5);
       },
       {}},
      {"not by a leaving one",
       3,
       [](scene& s) {
         s.lose(2);
         s.row(1).status = member_status::leaving;
         s.self.wanted = wish::drain;
         s.settle();
       },
       {}},
  });
}

/// Node `me` of `size`, cut off from `gone`: what does it do?
std::vector<std::string> seen_by(std::uint8_t me, std::uint8_t size,
                                 std::vector<std::uint8_t> gone) {
  scene s(size, me);
  for (auto n : gone)
    s.lose(n);
  return s.act();
}

TEST(membership, one_against_two) {
  EXPECT_THAT(seen_by(1, 3, {2, 3}), IsEmpty()) << "the isolated one must not vote";
  EXPECT_THAT(seen_by(2, 3, {1}), ElementsAre("vote 1"));
  EXPECT_THAT(seen_by(3, 3, {1}), ElementsAre("vote 1"));
}

TEST(membership, two_against_three) {
  for (std::uint8_t n : {1, 2})
    EXPECT_THAT(seen_by(n, 5, {3, 4, 5}), IsEmpty()) << int{n};
  for (std::uint8_t n : {3, 4, 5})
    EXPECT_THAT(seen_by(n, 5, {1, 2}), ElementsAre("vote 1", "vote 2")) << int{n};
}

TEST(membership, of_even_halves_the_one_with_the_smallest_uuid_votes) {
  EXPECT_THAT(seen_by(1, 4, {2, 3}), ElementsAre("vote 2", "vote 3"));
  EXPECT_THAT(seen_by(4, 4, {2, 3}), ElementsAre("vote 2", "vote 3"));
  EXPECT_THAT(seen_by(2, 4, {1, 4}), IsEmpty());
  EXPECT_THAT(seen_by(3, 4, {1, 4}), IsEmpty());
  EXPECT_THAT(seen_by(1, 2, {2}), ElementsAre("vote 2"));
  EXPECT_THAT(seen_by(2, 2, {1}), IsEmpty());
}

TEST(membership, nobody_votes_where_no_side_has_half) {
  for (std::uint8_t n = 1; n <= 3; ++n) {
    std::vector<std::uint8_t> others;
    for (std::uint8_t o = 1; o <= 3; ++o)
      if (o != n)
        others.push_back(o);
    EXPECT_THAT(seen_by(n, 3, others), IsEmpty()) << int{n};
  }
}

TEST(membership, what_is_unknown_does_not_make_a_side_larger) {
  scene s(5);
  s.lose(2);
  s.lose(3);
  EXPECT_THAT(s.act(), ElementsAre("vote 2", "vote 3"));
  std::erase_if(s.facts.peers, [](auto& r) { return r.peer.node == node(4); });
  EXPECT_THAT(s.act(), IsEmpty());
}

TEST(membership, votes_that_suffice_are_carried_out) {
  expect_all({
      {"two of three",
       3,
       [](scene& s) {
         s.lose(3);
         s.vote(1, 3);
         s.vote(2, 3);
       },
       {"dead 3 voted"}},
      {"by one who did not vote, too",
       4,
       [](scene& s) {
         s.vote(2, 4);
         s.vote(3, 4);
       },
       {"dead 4 voted"}},
      {"one is not enough", 4, [](scene& s) { s.vote(2, 4); }, {}},
      {"of two bad ones the larger goes first",
       5,
       [](scene& s) {
         s.vote(2, 4);
         s.vote(3, 4);
         s.vote(2, 5);
         s.vote(3, 5);
       },
       {"dead 5 voted"}},
      {"never the own death",
       3,
       [](scene& s) {
         s.vote(2, 1);
         s.vote(3, 1);
       },
       {}},
      {"not by a leaving one",
       4,
       [](scene& s) {
         s.vote(2, 4);
         s.vote(3, 4);
         s.row(1).status = member_status::leaving;
         s.self.wanted = wish::drain;
         s.now.members[0].lease_until_us = scene::database_now + 3 * second - 1;
         s.facts.shards.clear();
       },
       {}},
  });
}

/// Node 9 steps, and is joining.
void newcomer(scene& s) {
  s.add(9, member_status::joining);
  s.be(9);
}

TEST(membership, joining_begins_with_a_row) {
  expect_all({
      {"begins with a row",
       2,
       [](scene& s) {
         s.self.id = {node(9), 0};
       },
       {"join"}},
      {"over the row of a former incarnation",
       2,
       [](scene& s) {
         s.self.id.incarnation = 0;
         s.row(1).status = member_status::dead;
       },
       {"join"}},
      {"not by a build that could not read what is written",
       2,
       [](scene& s) {
         s.self.id = {node(9), 0};
         s.now.feature_level = 2;
       },
       {"stop build_too_old"}},
      {"not by one that was asked to leave meanwhile",
       2,
       [](scene& s) {
         s.self.id = {node(9), 0};
         s.self.wanted = wish::leave;
       },
       {"stop left"}},
  });
}

TEST(membership, joining_goes_on_when_everybody_answers) {
  expect_all({
      {"everybody answers", 3, newcomer, {"activate"}},
      {"waits for one that does not",
       3,
       [](scene& s) {
         newcomer(s);
         s.lose(2, 1);
       },
       {}},
      {"and for one that it has not probed",
       3,
       [](scene& s) {
         newcomer(s);
         s.facts.peers.clear();
       },
       {}},
      {"and for a leaving one, which still owns shards",
       3,
       [](scene& s) {
         s.row(2).status = member_status::leaving;
         newcomer(s);
         s.lose(2);
       },
       {}},
      {"not for another newcomer",
       3,
       [](scene& s) {
         s.add(8, member_status::joining);
         newcomer(s);
         s.lose(8);
       },
       {"activate"}},
      {"not for one whose lease has lapsed",
       3,
       [](scene& s) {
         newcomer(s);
         s.lose(2);
         lapse(s, 2);
       },
       {"activate"}},
      {"but who says so must be steady",
       3,
       [](scene& s) {
         newcomer(s);
         s.lose(2);
         lapse(s, 2);
         s.self.steady_since_us = scene::boot_now;
       },
       {}},
      {"the first one waits for nobody", 0, newcomer, {"activate"}},
      {"may be given up",
       2,
       [](scene& s) {
         newcomer(s);
         s.self.wanted = wish::leave;
       },
       {"leave"}},
  });
}

/// Node 99 joins beside `running` others.
scene beside(std::uint8_t running) {
  scene s(running);
  s.add(99, member_status::joining);
  s.be(99);
  return s;
}

TEST(membership, a_newcomer_that_finds_the_cluster_full_stops) {
  EXPECT_THAT(beside(15).act(), ElementsAre("activate"));
  EXPECT_THAT(beside(16).act(), ElementsAre("stop cluster_full"));
  auto s = beside(16);
  s.row(7).status = member_status::leaving;
  EXPECT_THAT(s.act(), ElementsAre("stop cluster_full")) << "it is linked to all still";
  s.row(7).lease_until_us = scene::database_now;
  EXPECT_THAT(s.act(), ElementsAre("activate")) << "it has gone";
  s.row(7).status = member_status::joining;
  s.row(7).lease_until_us = scene::database_now + second;
  EXPECT_THAT(s.act(), ElementsAre("activate")) << "of two newcomers the first one is in";
  s.be(1);
  EXPECT_THAT(s.act(), ::testing::Not(::testing::Contains(::testing::HasSubstr("stop"))))
      << "who is in stays in";
}

} // namespace
} // namespace rahat::cluster
