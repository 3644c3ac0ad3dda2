#include "apps/rahatd/last_resort.hpp"

#include "tests/support/eventually.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;

TEST(last_resort, ends_what_does_not_end_in_time) {
  const system_clock_port time;
  std::atomic<int> ends{0};
  last_resort watchdog{time, [&] { ++ends; }};
  watchdog.arm(1h);
  watchdog.arm(10ms); // meanwhile its lease has ended: the earlier one stays
  watchdog.arm(1h);
  EXPECT_TRUE(eventually([&] { return ends == 1; }));
}

TEST(last_resort, does_nothing_for_one_that_ends_in_time) {
  const system_clock_port time;
  std::atomic<int> ends{0};
  {
    last_resort watchdog{time, [&] { ++ends; }};
    watchdog.arm(1h);
  }
  {
    last_resort never_armed{time, [&] { ++ends; }};
  }
  EXPECT_EQ(ends, 0);
}

/// A part of the node hangs: nothing else would end this process.
void hang() {
  const system_clock_port time;
  last_resort watchdog{time, [] { end_at_once(4); }};
  watchdog.arm(10ms);
  std::promise<void> never;
  never.get_future().wait();
}

TEST(last_resort, leaves_with_the_code_it_was_given) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(hang(), ::testing::ExitedWithCode(4), "node_stop_cut_short");
}

} // namespace
} // namespace rahat::test
