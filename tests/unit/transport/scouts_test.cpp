#include "runtime/cluster/caf/scouts.hpp"

#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace rahat::test {
namespace {

using cluster::scouts;
using ::testing::Contains;

/// Addresses that swallow packets until they are let go; all others answer at once.
class scouting : public ::testing::Test {
protected:
  ~scouting() override {
    release();
    ahead.stop();
  }

  void release() {
    std::lock_guard lock{mutex};
    released = true;
    changed.notify_all();
  }

  std::optional<std::string> try_one(const std::string& host) {
    std::unique_lock lock{mutex};
    ++tries[host];
    if (!host.starts_with("hole"))
      return std::nullopt;
    changed.wait(lock, [this] { return released; });
    return "no answer";
  }

  void hear(const std::string& host, std::optional<std::string> why_not) {
    std::lock_guard lock{mutex};
    heard.push_back(host + (why_not ? ": " + *why_not : ""));
  }

  std::vector<std::string> told() {
    std::lock_guard lock{mutex};
    return heard;
  }

  int tried(const std::string& host) {
    std::lock_guard lock{mutex};
    return tries[host];
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool released = false;
  std::map<std::string, int> tries;
  std::vector<std::string> heard;
  scouts ahead{[this](auto& host, auto) { return try_one(host); },
               [this](auto& host, auto, auto why_not) { hear(host, std::move(why_not)); }};
};

TEST_F(scouting, black_holes_do_not_hold_up_one_that_answers) {
  ahead.start();
  for (auto* hole : {"hole-1", "hole-2", "hole-3"})
    ASSERT_TRUE(ahead.ask(hole, 1));
  ASSERT_TRUE(eventually([&] { return tried("hole-1") + tried("hole-2") + tried("hole-3") == 3; }));
  ASSERT_TRUE(ahead.ask("node", 1));
  ASSERT_TRUE(eventually([&] { return told().size() == 1; }));
  EXPECT_THAT(told(), Contains("node"));
  release();
  EXPECT_TRUE(eventually([&] { return told().size() == 4; }));
  EXPECT_THAT(told(), Contains("hole-2: no answer"));
}

TEST_F(scouting, an_address_is_tried_by_one_at_a_time) {
  ahead.start();
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(ahead.ask("hole", 1)); // dialled again and again meanwhile
  ASSERT_TRUE(ahead.ask("node", 1));
  ASSERT_TRUE(eventually([&] { return told().size() == 1; }));
  EXPECT_EQ(tried("hole"), 1);
  release();
  ASSERT_TRUE(eventually([&] { return told().size() == 2; }));
  EXPECT_EQ(tried("hole"), 1);
  ASSERT_TRUE(ahead.ask("hole", 1));
  EXPECT_TRUE(eventually([&] { return tried("hole") == 2; })) << "and again afterwards";
}

TEST_F(scouting, no_more_addresses_wait_than_the_bound) {
  for (std::uint16_t port = 0; port < scouts::waiting; ++port)
    ASSERT_TRUE(ahead.ask("node", port));
  EXPECT_FALSE(ahead.ask("node", scouts::waiting));
  EXPECT_TRUE(ahead.ask("node", 7)) << "it waits already";
  ahead.start();
  EXPECT_TRUE(eventually([&] { return told().size() == scouts::waiting; }));
  EXPECT_TRUE(ahead.ask("node", scouts::waiting));
}

TEST_F(scouting, a_try_that_throws_is_a_verdict) {
  scouts thrower{[](auto&, auto) -> std::optional<std::string> { throw std::runtime_error("bad"); },
                 [this](auto& host, auto, auto why_not) { hear(host, std::move(why_not)); }};
  thrower.start();
  ASSERT_TRUE(thrower.ask("node", 1));
  ASSERT_TRUE(eventually([&] { return told().size() == 1; }));
  EXPECT_THAT(told(), Contains("node: bad"));
  ASSERT_TRUE(thrower.ask("node", 1));
  EXPECT_TRUE(eventually([&] { return told().size() == 2; }));
}

} // namespace
} // namespace rahat::test
