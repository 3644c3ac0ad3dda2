#include "mesh_scene.hpp"

#include "tests/support/eventually.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;

namespace {

TEST(mesh, many_threads_may_send_at_once) {
  constexpr std::uint64_t each = 2'000;
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  std::atomic<int> running{3};
  std::vector<std::thread> senders;
  for (std::uint64_t t = 0; t < 3; ++t)
    senders.emplace_back([&, t] {
      for (std::uint64_t n = 0; n < each;)
        if (s[1].tell(s[2].id, n * 3 + t, n % 100 == 0 ? 200'000 : 300))
          ++n;
        else
          ::poll(nullptr, 0, 1); // the window is full: the other side has to be moved
      --running;
    });
  // Links, time and deliveries move on this thread meanwhile; time not faster than the machine's,
  // or a sender that is held up would look like a dead peer.
  const bool done = eventually([&] {
    s.run(10ms);
    return running == 0;
  });
  for (auto& t : senders)
    t.join();
  ASSERT_TRUE(done);
  s.run(1s);
  const auto& heard = s[2].heard[s[1].id.node];
  ASSERT_EQ(heard.size(), 3 * each);
  std::array<std::uint64_t, 3> next{0, 1, 2};
  for (auto n : heard) {
    ASSERT_EQ(n, next[n % 3]) << "what one thread sends keeps its order";
    next[n % 3] += 3;
  }
  EXPECT_EQ(s[2].downs[s[1].id.node], 0);
}

} // namespace
