#include "runtime/cluster/driving/repeat.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <stdexcept>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;

/// Calls that were put off, made by hand.
struct put_off {
  std::deque<std::pair<std::chrono::milliseconds, std::function<void()>>> waiting;

  bool next() {
    if (waiting.empty())
      return false;
    auto call = std::move(waiting.front().second);
    waiting.pop_front();
    call();
    return true;
  }
};

struct repeating : ::testing::Test {
  void start(std::function<void()> what) {
    cluster::repeat(std::make_shared<cluster::repetition>(cluster::repetition{
        [this](auto after, auto then) { later.waiting.emplace_back(after, std::move(then)); }, 25ms,
        [this] { return goes_on; }, std::move(what)}));
  }

  put_off later;
  bool goes_on = true;
  int times = 0;
};

TEST_F(repeating, calls_again_and_again_until_it_is_told) {
  start([this] { ++times; });
  EXPECT_EQ(times, 1);
  ASSERT_EQ(later.waiting.size(), 1u);
  EXPECT_EQ(later.waiting[0].first, 25ms);
  EXPECT_TRUE(later.next());
  EXPECT_TRUE(later.next());
  EXPECT_EQ(times, 3);
  goes_on = false;
  EXPECT_TRUE(later.next());
  EXPECT_EQ(times, 3);
  EXPECT_FALSE(later.next());
}

TEST_F(repeating, one_call_that_throws_does_not_end_it) {
  start([this] {
    if (++times == 2)
      throw std::runtime_error("once");
  });
  EXPECT_THROW(later.next(), std::runtime_error);
  EXPECT_TRUE(later.next());
  EXPECT_EQ(times, 3);
}

} // namespace
} // namespace rahat::test
