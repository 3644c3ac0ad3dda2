#include "runtime/cluster/shard_map.hpp"

#include "tests/unit/cluster/scene.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

namespace rahat::cluster {
namespace {

using merge = shard_map::merge;

shard_owner owner(const shard_map& m, shard_id s) {
  return m.read()->owners[s];
}

TEST(shard_map, knows_nobody_at_first) {
  const shard_map m;
  for (const auto& o : m.read()->owners)
    EXPECT_TRUE(o.free());
  EXPECT_EQ(m.read()->version, 0u);
}

TEST(shard_map, the_higher_epoch_wins_whatever_its_source) {
  shard_map m;
  EXPECT_EQ(m.rows_read({{3, {node(1), 5}}, {4, {node(1), 5}}}).newer, 2u);
  EXPECT_EQ(m.moved(3, {node(2), 6}), merge::newer);
  EXPECT_EQ(m.rows_read({{3, {node(1), 5}}}).newer, 0u) << "rows may be old";
  EXPECT_EQ(owner(m, 3), (shard_owner{node(2), 6}));
  EXPECT_EQ(m.taken(3, node(3), 7), merge::newer);
  EXPECT_EQ(m.moved(3, {node(2), 6}), merge::known);
  EXPECT_EQ(owner(m, 3), (shard_owner{node(3), 7}));
  EXPECT_EQ(owner(m, 4), (shard_owner{node(1), 5}));
}

TEST(shard_map, a_release_is_later_than_the_owner_of_its_epoch) {
  shard_map m;
  m.taken(3, node(1), 5);
  EXPECT_EQ(m.released(3, 5), merge::newer);
  EXPECT_TRUE(owner(m, 3).free());
  EXPECT_EQ(m.rows_read({{3, {node(1), 5}}}).newer, 0u) << "read before the release";
  EXPECT_EQ(m.released(3, 4), merge::known);
  EXPECT_EQ(m.taken(3, node(2), 6), merge::newer);
  EXPECT_EQ(m.released(3, 5), merge::known) << "somebody has taken it since";
  EXPECT_EQ(owner(m, 3), (shard_owner{node(2), 6}));
}

TEST(shard_map, two_owners_of_one_epoch_are_not_believed) {
  shard_map m;
  m.taken(3, node(1), 5);
  EXPECT_EQ(m.moved(3, {node(2), 5}), merge::conflict);
  EXPECT_EQ(m.rows_read({{3, {node(2), 5}}, {shard_count, {node(2), 5}}}).conflicts, 2u);
  EXPECT_EQ(m.moved(shard_count, {node(2), 5}), merge::no_such_shard);
  EXPECT_EQ(owner(m, 3), (shard_owner{node(1), 5}));
}

TEST(shard_map, counts_its_changes_and_only_those) {
  shard_map m;
  m.taken(3, node(1), 5);
  const auto before = m.read();
  m.taken(3, node(1), 5);
  m.rows_read({{3, {node(1), 4}}});
  EXPECT_EQ(m.read(), before) << "the same snapshot";
  m.rows_read({{1, {node(1), 1}}, {2, {node(1), 1}}});
  EXPECT_EQ(m.read()->version, before->version + 1);
  EXPECT_TRUE(before->owners[1].free()) << "a snapshot never changes";
}

TEST(shard_map, forgets_everything_with_the_generation) {
  shard_map m;
  m.taken(3, node(1), 500);
  const auto version = m.read()->version;
  m.forget();
  EXPECT_TRUE(owner(m, 3).free());
  EXPECT_GT(m.read()->version, version);
  EXPECT_EQ(m.taken(3, node(2), 7), merge::newer) << "a lower epoch of another generation";
}

TEST(shard_map, the_order_of_reports_does_not_matter) {
  std::mt19937_64 dice(1);
  for (int run = 0; run < 200; ++run) {
    std::vector<shard_map::row> reports; // a history: taken under rising epochs, released or not
    for (std::int64_t epoch = 1; epoch <= 6; ++epoch) {
      reports.push_back({9, {node(static_cast<std::uint8_t>(1 + dice() % 3)), epoch}});
      if (dice() % 2 == 0)
        reports.push_back({9, {uuid{}, epoch}});
    }
    const auto last = reports.back().owner;
    std::shuffle(reports.begin(), reports.end(), dice);
    shard_map m;
    for (const auto& r : reports) {
      m.moved(r.shard, r.owner);
      if (dice() % 3 == 0)
        m.rows_read(reports);
    }
    EXPECT_EQ(owner(m, 9), last) << run;
  }
}

TEST(shard_map, readers_see_whole_tables_while_writers_change_it) {
  shard_map m;
  constexpr std::int64_t changes = 2'000;
  std::atomic<bool> torn{false};
  std::thread reader([&] {
    for (std::int64_t seen = 0; seen < changes;) {
      const auto now = m.read();
      if (now->owners[0] != now->owners[255] || now->owners[0].epoch < seen)
        torn = true;
      seen = now->owners[0].epoch;
    }
  });
  for (std::int64_t e = 1; e <= changes; ++e)
    m.rows_read({{0, {node(1), e}}, {255, {node(1), e}}});
  reader.join();
  EXPECT_FALSE(torn);
}

} // namespace
} // namespace rahat::cluster
