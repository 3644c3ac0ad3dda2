#include "gateways/ops/background.hpp"

#include <gtest/gtest.h>
#include <future>
#include <stdexcept>
#include <vector>

namespace rahat::ops {
namespace {

constexpr std::chrono::seconds patience{20};

/// Holds a worker until it is opened.
class gate {
public:
  std::function<void()> job() {
    return [this] {
      entered_.set_value();
      opened_.get_future().wait();
    };
  }
  bool entered() { return entered_.get_future().wait_for(patience) == std::future_status::ready; }
  void open() { opened_.set_value(); }

private:
  std::promise<void> entered_;
  std::promise<void> opened_;
};

TEST(background_worker, an_instance_does_not_wait_for_another) {
  gate long_one;
  background audits{"audits"};
  background taking{"taking"};
  audits.run(long_one.job());
  ASSERT_TRUE(long_one.entered());
  std::promise<void> done;
  taking.run([&] { done.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_EQ(audits.as_part().name, "audits");
  EXPECT_EQ(taking.as_part().name, "taking");
  long_one.open();
}

TEST(background_worker, at_its_bound_the_oldest_that_waits_goes_and_the_newest_is_done) {
  background worker;
  gate first;
  worker.run(first.job());
  ASSERT_TRUE(first.entered());
  std::vector<int> done; // of the worker's thread until `last`
  std::promise<void> last;
  const int all = static_cast<int>(background::max_waiting) + 3;
  for (int n = 0; n < all; ++n)
    worker.run([&, n] {
      done.push_back(n);
      if (n + 1 == all)
        last.set_value();
    });
  first.open();
  ASSERT_EQ(last.get_future().wait_for(patience), std::future_status::ready);
  ASSERT_EQ(done.size(), background::max_waiting);
  EXPECT_EQ(done.front(), 3);
  EXPECT_EQ(done.back(), all - 1);
}

TEST(background_worker, a_worker_that_died_goes_on_with_what_waits) {
  background worker;
  gate first;
  worker.run(first.job());
  ASSERT_TRUE(first.entered());
  std::promise<void> done;
  worker.run([] { throw std::runtime_error("a bug"); });
  worker.run([&] { done.set_value(); });
  std::promise<std::string> death;
  auto as_part = worker.as_part();
  as_part.start([&](const std::string& why) { death.set_value(why); });
  first.open();
  auto died = death.get_future();
  ASSERT_EQ(died.wait_for(patience), std::future_status::ready);
  EXPECT_EQ(died.get(), "a bug");
  as_part.start([](const std::string&) {});
  EXPECT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
}

} // namespace
} // namespace rahat::ops
