#include "runtime/cluster/votes.hpp"

#include "tests/unit/cluster/scene.hpp"

#include <gtest/gtest.h>

namespace rahat::cluster {
namespace {

bool out(const scene& s, std::uint8_t target) {
  return voted_out(s.now, *s.now.find(node(target)), s.facts.votes, scene::database_now,
                   s.terms.vote_expiry_us);
}

TEST(votes, two_distinct_active_members_are_needed) {
  scene s(4);
  EXPECT_FALSE(out(s, 4));
  s.vote(1, 4);
  s.vote(1, 4);
  EXPECT_FALSE(out(s, 4)) << "twice the same one";
  s.vote(2, 3);
  EXPECT_FALSE(out(s, 4)) << "another target";
  s.vote(4, 4);
  EXPECT_FALSE(out(s, 4)) << "itself";
  s.vote(9, 4);
  EXPECT_FALSE(out(s, 4)) << "a stranger";
  s.vote(2, 4);
  EXPECT_TRUE(out(s, 4));
}

TEST(votes, expire) {
  scene s(3);
  s.vote(1, 3);
  s.vote(2, 3, s.terms.vote_expiry_us - 1);
  EXPECT_TRUE(out(s, 3));
  s.facts.votes.back().written_us -= 1;
  EXPECT_FALSE(out(s, 3));
  s.facts.votes.back().written_us = scene::database_now + s.terms.vote_expiry_us;
  EXPECT_FALSE(out(s, 3)) << "written before the clock was set back";
}

TEST(votes, go_with_who_gave_them) {
  for (auto status :
       {member_status::joining, member_status::leaving, member_status::left, member_status::dead}) {
    scene s(4);
    s.vote(1, 4);
    s.vote(2, 4);
    s.row(2).status = status;
    EXPECT_FALSE(out(s, 4)) << to_string(status);
  }
  scene s(4);
  s.vote(1, 4);
  s.vote(2, 4);
  s.row(2).incarnation = 2;
  EXPECT_FALSE(out(s, 4)) << "restarted";
}

TEST(votes, are_against_one_incarnation) {
  scene s(4);
  s.vote(1, 4);
  s.vote(2, 4);
  s.row(4).incarnation = 2;
  EXPECT_FALSE(out(s, 4));
}

TEST(votes, only_active_members_are_voted_out) {
  for (auto status : {member_status::joining, member_status::leaving, member_status::dead}) {
    scene s(4);
    s.vote(1, 4);
    s.vote(2, 4);
    s.row(4).status = status;
    EXPECT_FALSE(out(s, 4)) << to_string(status);
  }
}

TEST(votes, of_two_the_smaller_one_decides_alone) {
  scene s(2);
  s.vote(2, 1);
  EXPECT_FALSE(out(s, 1));
  s.vote(1, 2);
  EXPECT_TRUE(out(s, 2));
  s.add(3, member_status::active);
  EXPECT_FALSE(out(s, 2)) << "of three it does not";
}

} // namespace
} // namespace rahat::cluster
