#include "runtime/cluster/view.hpp"

#include "tests/unit/cluster/scene.hpp"

#include <gtest/gtest.h>

namespace rahat::cluster {
namespace {

TEST(view, knows_who_is_alive_and_who_is_active) {
  scene s(0);
  for (std::uint8_t n = 5; n >= 1; --n)
    s.add(n, static_cast<member_status>(n - 1)); // 1 joining, 2 active ... 5 dead
  ASSERT_EQ(s.now.alive().size(), 3u);
  EXPECT_EQ(s.now.alive().front().node_uuid, node(1));
  EXPECT_EQ(s.now.active(), std::vector<uuid>{node(2)});
}

TEST(view, is_coordinated_by_the_smallest_active_uuid) {
  scene s(0);
  EXPECT_TRUE(s.now.coordinator().is_nil());
  s.add(1, member_status::joining);
  s.add(4, member_status::active);
  s.add(3, member_status::active);
  s.add(2, member_status::leaving);
  EXPECT_EQ(s.now.coordinator(), node(3));
}

TEST(view, finds_a_member_by_its_incarnation) {
  scene s(2);
  EXPECT_NE(s.now.find(member_id{node(2), 1}), nullptr);
  EXPECT_EQ(s.now.find(member_id{node(2), 2}), nullptr);
  EXPECT_EQ(s.now.find(node(3)), nullptr);
}

TEST(view, a_renewal_does_not_make_another_one) {
  const scene a(3);
  auto b = a.now;
  std::swap(b.members.front(), b.members.back());
  b.members[1].lease_until_us += second;
  EXPECT_TRUE(agree(a.now, b));
  EXPECT_FALSE(a.now == b);
  for (auto change : std::vector<void (*)(view&)>{
           [](view& v) { ++v.version; }, [](view& v) { ++v.feature_level; },
           [](view& v) { v.members[0].status = member_status::dead; },
           [](view& v) { ++v.members[0].incarnation; }, [](view& v) { v.members.pop_back(); },
           [](view& v) { v.members[0].address = "10.9.9.9"; }}) {
    auto other = a.now;
    change(other);
    EXPECT_FALSE(agree(a.now, other));
  }
}

TEST(view, reads_well_in_logs) {
  scene s(2);
  EXPECT_EQ(s.now.str(), "view 7 level 1: " + node(1).str() + "/1 active 10.0.0.1:7400, " +
                             node(2).str() + "/1 active 10.0.0.2:7400");
  EXPECT_EQ(view{}.str(), "view 0 level 0: nobody");
}

} // namespace
} // namespace rahat::cluster
