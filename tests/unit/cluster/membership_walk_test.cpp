// Random histories of whole clusters: every promise is checked at every write.
#include "tests/unit/cluster/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace rahat::cluster {
namespace {

bool settles(world& w, std::int64_t within_us) {
  for (std::int64_t t = 0; t < within_us; t += second / 2) {
    if (w.settled())
      return true;
    w.run(second / 2);
  }
  return w.settled();
}

void expect_promises_kept(const world& w, std::uint64_t seed) {
  for (const auto& b : w.broken)
    ADD_FAILURE() << "seed " << seed << ": " << b;
  for (const auto& b : w.store.broken)
    ADD_FAILURE() << "seed " << seed << ": " << b;
}

void random_fault(world& w) {
  const auto n = static_cast<std::uint8_t>(w.dice(w.size()));
  const auto other = static_cast<std::uint8_t>(w.dice(w.size()));
  const auto some_time = static_cast<std::int64_t>(1 + w.dice(80)) * second / 10;
  switch (w.dice(10)) {
    case 0: return w.crash(n);
    case 1: return w.leave(n);
    case 2: return w.cut_store(n);
    case 3: return w.outage(some_time);
    case 4: return w.cut_one_way(n, other);
    case 5: return w.heal();
    case 6: return w.set_database_clock(w.dice(2) == 0 ? -3'600 * second : some_time);
    case 7: {
      std::vector<std::uint8_t> groups(w.size());
      for (auto& g : groups)
        g = static_cast<std::uint8_t>(w.dice(2));
      return w.cut_groups(groups);
    }
    default: return w.pause(n, some_time);
  }
}

TEST(membership_walk, whatever_happens_the_promises_hold_and_one_view_remains) {
  decltype(world::seen) seen;
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    world w(seed, static_cast<std::uint8_t>(2 + seed % 6));
    ASSERT_TRUE(settles(w, 30 * second)) << "seed " << seed << "\n" << w.str();
    for (int faults = 0; faults < 15; ++faults) {
      random_fault(w);
      w.run(static_cast<std::int64_t>(1 + w.dice(12)) * second / 2);
      if (w.dice(5) == 0)
        w.run(16 * second); // long enough for a cut to come to its end
    }
    w.heal();
    w.run(10 * second); // what was begun before comes to its end
    ASSERT_TRUE(settles(w, 80 * second)) << "seed " << seed << "\n" << w.str();
    const auto version = w.store.now().version;
    w.run(20 * second);
    EXPECT_EQ(w.store.now().version, version) << "seed " << seed << ": it does not come to rest";
    expect_promises_kept(w, seed);
    seen.lapsed += w.seen.lapsed;
    seen.voted += w.seen.voted;
    seen.stopped += w.seen.stopped;
    seen.late += w.seen.late;
    seen.left += w.seen.left;
    refused += w.store.refused;
  }
  std::cout << "lapsed " << seen.lapsed << ", voted " << seen.voted << ", stopped " << seen.stopped
            << ", left " << seen.left << ", late " << seen.late << ", refused " << refused << '\n';
  // A walk that never came to the rare places shows nothing.
  EXPECT_GT(seen.lapsed, 20);
  EXPECT_GT(seen.voted, 10);
  EXPECT_GT(seen.stopped, 20);
  EXPECT_GT(seen.left, 5);
  EXPECT_GT(seen.late, 3);
  EXPECT_GT(refused, 20u);
}

/// Cuts a settled cluster in two and returns who is active after it has come to rest.
std::vector<uuid> after_cut(std::uint64_t seed, std::uint8_t size, std::uint32_t side) {
  world w(seed, size);
  EXPECT_TRUE(settles(w, 30 * second)) << w.str();
  w.run(5 * second);
  std::vector<std::uint8_t> groups;
  for (std::uint8_t n = 0; n < size; ++n)
    groups.push_back(side >> n & 1);
  w.cut_groups(groups);
  w.run(40 * second);
  expect_promises_kept(w, seed);
  return w.store.now().active();
}

TEST(membership_walk, of_every_cut_in_two_the_right_side_stays_whole) {
  for (std::uint8_t size = 2; size <= 5; ++size) {
    for (std::uint32_t side = 1; side + 1 < 1u << size; ++side) {
      const auto ones = static_cast<std::uint32_t>(__builtin_popcount(side));
      const bool ones_stay = 2 * ones > size || (2 * ones == size && (side & 1) != 0);
      std::vector<uuid> expected;
      for (std::uint8_t n = 0; n < size; ++n)
        if ((side >> n & 1) == (ones_stay ? 1u : 0u))
          expected.push_back(node(static_cast<std::uint8_t>(n + 1)));
      EXPECT_EQ(after_cut(side, size, side), expected) << int{size} << " nodes, side " << side;
    }
  }
}

TEST(membership_walk, an_absent_database_buries_nobody) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    world w(seed, 3);
    ASSERT_TRUE(settles(w, 30 * second));
    w.run(5 * second);
    for (std::int64_t away : {4, 15, 20, 25, 30, 45, 100, 600}) {
      const auto version = w.store.now().version;
      w.outage(away * second / 10);
      w.run(away * second / 10 + 10 * second);
      EXPECT_EQ(w.store.now().version, version) << "seed " << seed << ", " << away << " / 10 s";
    }
  }
}

TEST(membership_walk, a_database_clock_that_is_set_buries_nobody) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    world w(seed, 3);
    ASSERT_TRUE(settles(w, 30 * second));
    w.run(5 * second);
    for (std::int64_t by : {900'000L, 2'200'000L, 2'600'000L, 3'000'000L, 3'600'000'000L,
                            -2'000'000L, -3'600'000'000L}) {
      const auto version = w.store.now().version;
      w.set_database_clock(by);
      w.run(10 * second);
      EXPECT_EQ(w.store.now().version, version) << "seed " << seed << ", by " << by;
    }
  }
}

/// Shards that no active member owns.
std::size_t unserved(const world& w) {
  const auto& rows = w.store.shards();
  return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& s) {
    const auto* owner = w.store.now().find(s.owner);
    return owner == nullptr || !owner->active();
  }));
}

TEST(membership_walk, drains_never_take_the_whole_cluster_out) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world w(seed, static_cast<std::uint8_t>(2 + seed % 3));
    ASSERT_TRUE(settles(w, 30 * second));
    w.run(5 * second);
    for (std::uint8_t n = 0; n < w.size(); ++n)
      w.drain(n); // all of them at once
    w.run(30 * second);
    ASSERT_EQ(w.store.now().active().size(), 1u) << w.str();
    EXPECT_EQ(unserved(w), 0u);
    const auto taker = w.store.now().active().front();
    w.cut_store(static_cast<std::uint8_t>(taker.bytes[15] - 1)); // it lapses for good
    w.run(30 * second);
    ASSERT_EQ(w.store.now().active().size(), 1u) << w.str();
    EXPECT_NE(w.store.now().active().front(), taker);
    EXPECT_EQ(unserved(w), 0u);
    expect_promises_kept(w, seed);
  }
}

TEST(membership_walk, the_shards_of_a_crashed_node_are_taken_within_four_seconds) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    world w(seed, 3);
    ASSERT_TRUE(settles(w, 30 * second));
    w.run(5 * second);
    const member_id gone = w.store.now().members.front().id();
    w.crash(static_cast<std::uint8_t>(gone.node.bytes[15] - 1));
    w.run(4 * second);
    for (const auto& s : w.store.shards())
      ASSERT_NE(s.owner, gone) << "seed " << seed;
  }
}

} // namespace
} // namespace rahat::cluster
