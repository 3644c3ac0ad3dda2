#include "runtime/cluster/driving/strand.hpp"

#include "runtime/cluster/driving/gate.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace rahat::cluster {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

TEST(strand, runs_in_order_what_is_added_from_within) {
  strand s;
  std::vector<int> seen;
  s.add([&] {
    s.add([&] { seen.push_back(3); });
    s.run();
    seen.push_back(1);
  });
  s.add([&] { seen.push_back(2); });
  s.run();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST(strand, runs_one_at_a_time_in_the_order_of_each_thread) {
  strand s;
  std::atomic<int> inside{0}, most{0};
  std::vector<std::pair<int, int>> seen; // only touched by what the strand runs
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2'000; ++i) {
        s.add([&, t, i] {
          most = std::max(most.load(), ++inside);
          seen.emplace_back(t, i);
          --inside;
        });
        s.run();
      }
    });
  for (auto& t : threads)
    t.join();
  s.run();
  EXPECT_EQ(most, 1);
  ASSERT_EQ(seen.size(), 8'000u);
  std::vector<int> next(4, 0);
  for (auto& [t, i] : seen)
    EXPECT_EQ(i, next[static_cast<std::size_t>(t)]++);
}

TEST(strand, goes_on_after_one_that_throws) {
  strand s;
  std::vector<int> seen;
  s.add([] { throw std::runtime_error("broken"); });
  s.add([&] { seen.push_back(1); });
  EXPECT_THROW(s.run(), std::runtime_error);
  EXPECT_THAT(seen, ElementsAre());
  s.run();
  EXPECT_THAT(seen, ElementsAre(1));
}

TEST(strand, destroys_what_has_run_without_its_lock) {
  strand s;
  int last = 0;
  std::shared_ptr<void> adds_when_it_ends(nullptr, [&](void*) { s.add([&] { ++last; }); });
  s.add([keep = std::move(adds_when_it_ends)] {});
  s.run();
  s.run();
  EXPECT_EQ(last, 1);
}

TEST(strand, forgets_what_waits_when_it_is_stopped) {
  strand s;
  int ran = 0;
  s.add([&] {
    ++ran;
    s.stop();
  });
  s.add([&] { ++ran; });
  s.run();
  s.add([&] { ++ran; });
  s.run();
  EXPECT_EQ(ran, 1);
}

TEST(gate, keeps_out_who_comes_after_it_was_shut) {
  gate g;
  {
    gate::pass outer{g};
    gate::pass inner{g};
    EXPECT_TRUE(outer && inner);
  }
  g.shut();
  EXPECT_FALSE(gate::pass{g});
  g.shut();
}

TEST(gate, waits_for_those_inside) {
  gate g;
  std::promise<void> entered, go;
  std::atomic<bool> out{false}, shut{false};
  std::thread worker([&] {
    gate::pass inside{g};
    entered.set_value();
    go.get_future().wait();
    out = true;
  });
  entered.get_future().wait();
  std::thread closer([&] {
    g.shut();
    EXPECT_TRUE(out);
    shut = true;
  });
  ASSERT_TRUE(test::eventually([&] { return !gate::pass{g}; }));
  EXPECT_FALSE(shut);
  go.set_value();
  worker.join();
  closer.join();
  EXPECT_TRUE(shut);
}

TEST(gate, can_be_shut_from_inside_by_two) {
  gate g;
  std::promise<void> entered[2];
  std::promise<void> go;
  auto both = go.get_future().share();
  std::vector<std::thread> threads;
  for (auto& in : entered)
    threads.emplace_back([&g, &in, both] {
      gate::pass outer{g};
      gate::pass inner{g};
      in.set_value();
      both.wait();
      g.shut();
    });
  for (auto& in : entered)
    in.get_future().wait();
  go.set_value();
  for (auto& t : threads)
    t.join();
  EXPECT_FALSE(gate::pass{g});
}

} // namespace
} // namespace rahat::cluster
