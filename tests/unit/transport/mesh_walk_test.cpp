#include "mesh_scene.hpp"

#include <gtest/gtest.h>

#include <algorithm>

/// Long random histories of a network that fails in every way it can. What must hold always is
/// asserted where the meshes call: mesh_node.
using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;

namespace {

class walk {
public:
  explicit walk(std::uint64_t seed) : s(3, seed), dice(seed * 7 + 1) { s.tell_view(); }

  void step() {
    const auto a = some();
    const auto b = other_than(a);
    switch (dice.less_than(14)) {
      case 0: s.net.cut(host(a), host(b)); break;
      case 1: s.net.cut_one_way(host(a), host(b)); break;
      case 2: s.net.heal(host(a), host(b)); break;
      case 3: s.net.heal_all(); break;
      case 4: s.net.close(host(a), host(b), "reset"); break;
      case 5: s.net.lose_next(host(a), host(b)); break;
      case 6:
        s.net.delay(host(a), host(b), 0ms, std::chrono::milliseconds(dice.less_than(300)));
        break;
      case 7:
        if (dice.less_than(4) == 0) {
          s.restart(a);
          s.tell_view();
        }
        break;
      case 8:
        if (!s.frozen.erase(a))
          s.frozen.insert(a);
        break;
      case 9: s.net.inject(host(a), host(b), "noise of somebody else"); break;
      default: talk(a, b); break;
    }
    s.run(std::chrono::milliseconds(10 * dice.less_than(40)));
    check();
  }

  /// Everything heals, and then everybody is linked again and hears everything.
  void end() {
    s.frozen.clear();
    s.net.heal_all();
    each_pair([&](int a, int b) { s.net.delay(host(a), host(b), 0ms, 5ms); });
    ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 15s));
    s.run(5s);
    ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 5s));
    const auto n = ++last;
    each_pair([&](int a, int b) { EXPECT_TRUE(s[a].tell(s[b].id, n)); });
    s.run(500ms);
    each_pair([&](int a, int b) { EXPECT_EQ(s[b].heard[s[a].id.node].back(), n); });
    check();
  }

  void count(std::map<std::string, int>& ends) {
    for (int n = 1; n <= 3; ++n) {
      for (const auto& [why, many] : s[n].probe.ended_up)
        ends[why] += many;
      ends["stranger"] += static_cast<int>(s[n].probe.strangers);
    }
  }

  mesh_scene s;

private:
  static void each_pair(const std::function<void(int, int)>& visit) {
    for (int a = 1; a <= 3; ++a)
      for (int b = 1; b <= 3; ++b)
        if (a != b)
          visit(a, b);
  }

  static std::string host(int n) { return "node" + std::to_string(n); }
  int some() { return 1 + static_cast<int>(dice.less_than(3)); }
  int other_than(int a) { return 1 + (a + static_cast<int>(dice.less_than(2))) % 3; }

  void talk(int a, int b) {
    static constexpr std::size_t sizes[] = {1, 1'000, 60'000, 150'000, 500'000, 2'000'000};
    for (auto many = dice.less_than(12); many > 0; --many)
      s[a].tell(s[b].id, ++last, sizes[dice.less_than(std::size(sizes))]);
  }

  /// Of one link in order, and each at most once ever.
  void check() {
    for (int n = 1; n <= 3; ++n) {
      for (const auto& [peer, numbers] : s[n].heard)
        ASSERT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
      for (const auto& [peer, times] : s[n].times_heard)
        for (const auto& [number, count] : times)
          ASSERT_EQ(count, 1);
      for (const auto& p : s[n].links->peers())
        ASSERT_LE(p.unconfirmed, 1'048'576U);
    }
  }

  seeded_random dice;
  std::uint64_t last = 0;
};

TEST(mesh, random_faults_lose_and_repeat_nothing_within_a_link) {
  std::map<std::string, int> ends;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    walk w{seed};
    for (int i = 0; i < 60 && !testing::Test::HasFailure(); ++i)
      w.step();
    if (!testing::Test::HasFailure())
      w.end();
    if (testing::Test::HasFailure())
      return;
    w.count(ends);
  }
  for (auto why : {"silent", "skipped", "closed", "replaced", "not_in_view", "stranger"})
    EXPECT_GT(ends[why], 0) << "no seed has seen: " << why;
  EXPECT_EQ(ends["violation"], 0) << "none breaks the rules of the other";
}

} // namespace
