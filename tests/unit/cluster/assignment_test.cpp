#include "runtime/cluster/assignment.hpp"

#include "tests/unit/cluster/scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <stdexcept>

namespace rahat::cluster {
namespace {

uuid random_id(std::mt19937_64& dice) {
  uuid id;
  for (auto& byte : id.bytes)
    byte = static_cast<std::uint8_t>(dice());
  return id;
}

std::vector<uuid> random_ids(std::mt19937_64& dice, std::size_t n) {
  std::vector<uuid> out;
  for (std::size_t i = 0; i < n; ++i)
    out.push_back(random_id(dice));
  return out;
}

std::size_t largest_load(const assignment& a) {
  std::map<uuid, std::size_t> load;
  std::size_t out = 0;
  for (const auto& owner : a.owner_of)
    out = std::max(out, ++load[owner]);
  return out;
}

struct movement {
  std::size_t moved = 0;  // shards whose owner is another one
  std::size_t beside = 0; // of these, neither to nor from `changed`: the bound made them move
};

movement between(const assignment& a, const assignment& b, const uuid& changed) {
  movement out;
  for (shard_id s = 0; s < shard_count; ++s) {
    if (a.owner(s) == b.owner(s))
      continue;
    ++out.moved;
    out.beside += a.owner(s) != changed && b.owner(s) != changed ? 1 : 0;
  }
  return out;
}

TEST(assignment, of_no_members_is_empty) {
  const auto a = assign_shards({});
  EXPECT_TRUE(a.empty());
  EXPECT_TRUE(a.owner(0).is_nil());
  EXPECT_THAT(a.shards_of(node(1)), testing::IsEmpty());
  EXPECT_EQ(shard_cap(0), 0u);
}

TEST(assignment, the_bound_is_five_per_cent_above_the_mean_rounded_up) {
  const std::map<std::size_t, std::size_t> caps = {{1, 269}, {2, 135}, {3, 90},  {4, 68},
                                                   {5, 54},  {8, 34},  {32, 9},  {256, 2},
                                                   {268, 2}, {269, 1}, {1000, 1}};
  for (const auto& [members, cap] : caps)
    EXPECT_EQ(shard_cap(members), cap) << members;
}

TEST(assignment, every_shard_has_an_owner_and_no_owner_too_many) {
  std::mt19937_64 dice(20);
  for (std::size_t n = 1; n <= 32; ++n) {
    for (int seed = 0; seed < 60; ++seed) {
      const auto members = random_ids(dice, n);
      const auto a = assign_shards(members);
      ASSERT_EQ(a.owner_of.size(), shard_count);
      for (const auto& owner : a.owner_of)
        ASSERT_TRUE(std::find(members.begin(), members.end(), owner) != members.end());
      ASSERT_LE(largest_load(a), shard_cap(n)) << n << " members";
    }
  }
  for (std::size_t n : {200, 256, 268, 269, 400})
    EXPECT_LE(largest_load(assign_shards(random_ids(dice, n))), shard_cap(n)) << n;
}

TEST(assignment, uuids_that_differ_in_one_bit_are_as_good_as_any) {
  std::vector<uuid> members;
  for (std::uint8_t n = 1; n <= 16; ++n) {
    members.push_back(node(n));
    const auto a = assign_shards(members);
    EXPECT_LE(largest_load(a), shard_cap(n));
    for (const auto& m : members)
      EXPECT_GE(a.shards_of(m).size(), shard_count / n / 2) << int{n};
  }
}

TEST(assignment, depends_on_the_set_alone) {
  std::mt19937_64 dice(21);
  for (int seed = 0; seed < 50; ++seed) {
    auto members = random_ids(dice, 1 + dice() % 32);
    const auto a = assign_shards(members);
    std::shuffle(members.begin(), members.end(), dice);
    members.push_back(members.front());
    EXPECT_EQ(assign_shards(members), a);
  }
}

// Builds side by side must agree: a change of these numbers is a change of the protocol.
TEST(assignment, is_frozen) {
  const auto a = assign_shards({node(1), node(2), node(3)});
  std::string owners;
  for (const auto& owner : a.owner_of)
    owners += static_cast<char>('0' + owner.bytes[15]);
  EXPECT_EQ(hex(rahat::view(sha256(owners))),
            "dbcb4715684201c13275046338438a20f6c4bf41bd6adfcf3b0ef5116fb77797");
  EXPECT_EQ(owners.substr(0, 32), "32123221211223232232311113312113");
}

TEST(assignment, the_nil_id_is_nobody) {
  EXPECT_THROW(assign_shards({node(1), uuid{}}), std::invalid_argument);
}

/// The figures that the header states: mean and worst movement as multiples of 256 / (n + 1).
struct limit {
  std::size_t up_to;
  double mean;
  double worst;
};

TEST(assignment, little_moves_when_a_member_joins_or_leaves) {
  constexpr int seeds = 50;
  const std::vector<limit> limits = {
      {5, 1.15, 1.45}, {9, 1.3, 1.6}, {17, 1.6, 2.1}, {32, 2.9, 3.7}};
  std::mt19937_64 dice(22);
  for (std::size_t n = 1; n < 32; ++n) {
    const double share = static_cast<double>(shard_count) / static_cast<double>(n + 1);
    double sum = 0;
    double worst = 0;
    std::size_t beside = 0;
    for (int seed = 0; seed < seeds; ++seed) {
      auto members = random_ids(dice, n);
      const auto before = assign_shards(members);
      members.push_back(random_id(dice));
      const auto found = between(before, assign_shards(members), members.back());
      const auto factor = static_cast<double>(found.moved) / share;
      sum += factor;
      worst = std::max(worst, factor);
      beside += found.beside;
    }
    const auto& allowed = *std::find_if(limits.begin(), limits.end(),
                                        [&](const limit& l) { return n + 1 <= l.up_to; });
    RecordProperty("from_" + std::to_string(n), std::to_string(sum / seeds) + " mean, " +
                                                    std::to_string(worst) + " worst, beside " +
                                                    std::to_string(beside / seeds));
    EXPECT_LE(sum / seeds, allowed.mean) << n;
    EXPECT_LE(worst, allowed.worst) << n;
  }
}

} // namespace
} // namespace rahat::cluster
