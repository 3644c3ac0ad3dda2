// Movers and pilots of production over twins of the tables, and everything that goes wrong.
#include "tests/unit/driving/walk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;

/// Long enough for a pause to end, a lease to lapse, and all shards to move a few at a time.
constexpr auto settling_limit = 60s;

TEST(mover, random_views_end_with_every_shard_where_it_belongs) {
  walk_counts seen;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    walk w(seed, static_cast<std::uint8_t>(2 + seed % 3), seen);
    w.run(5s, false);
    w.run(25s, true);
    w.heal();
    for (auto waited = 0s; waited < settling_limit && !w.unsettled().empty(); waited += 1s)
      w.run(1s, false);
    EXPECT_EQ(w.unsettled(), "");
    w.run(2s, false);
    EXPECT_EQ(w.unsettled(), "") << "it does not stay so";
    EXPECT_THAT(w.broken, ::testing::IsEmpty());
  }
  const std::pair<const char*, int> met[] = {
      {"taken", seen.taken},         {"taken of the dead", seen.of_the_dead},
      {"released", seen.released},   {"fenced", seen.fenced},
      {"cut short", seen.cut_short}, {"ended", seen.ended},
      {"paused", seen.paused},       {"lost answers", seen.lost},
      {"drains", seen.drains}};
  for (auto& [what, times] : met)
    EXPECT_GT(times, 0) << "a walk that never meets it proves nothing: " << what;
}

} // namespace
} // namespace rahat::test
