#include "runtime/cluster/feature_level.hpp"

#include <gtest/gtest.h>

namespace rahat::cluster {
namespace {

TEST(feature_level, writes_the_views_level_but_never_more_than_it_reads) {
  const feature_levels build{2};
  EXPECT_EQ(build.writes(1), 1);
  EXPECT_EQ(build.writes(2), 2);
  EXPECT_EQ(build.writes(3), 2);
}

TEST(feature_level, what_one_release_writes_the_one_before_reads) {
  const feature_levels older{2};
  const feature_levels newer{3};
  for (level view = first_level; view <= older.reads; ++view)
    EXPECT_TRUE(older.can_read(newer.writes(view))) << view;
  EXPECT_FALSE(older.can_read(newer.writes(3)));
  EXPECT_FALSE(older.may_join(3));
  EXPECT_TRUE(newer.may_join(2));
}

TEST(feature_level, says_what_to_do_about_a_higher_one) {
  const feature_levels build{2};
  EXPECT_EQ(build.refusal(3), "written at level 3, this build reads up to 2: upgrade this node");
  EXPECT_FALSE(build.can_read(0));
  EXPECT_NE(build.refusal(0).find("damaged"), std::string::npos);
}

} // namespace
} // namespace rahat::cluster
