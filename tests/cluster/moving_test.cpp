// Planned moves under load: clients behind a load balancer, who send a request again once with the
// same key, notice nothing.
#include "tests/cluster/checker.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <algorithm>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr std::size_t some_requests = 100;

class moving : public testing::Test {
protected:
  void start(std::size_t nodes) {
    cluster_.start(0);
    who_ = std::make_unique<people>(cluster_.node(0));
    for (std::size_t i = 1; i < nodes; ++i)
      cluster_.start(i);
    cluster_.wait_settled();
    balancer_ = std::make_unique<rotation>(cluster_);
    load_plan plan;
    plan.how.through = balancer_.get();
    load_ = std::make_unique<mixed_load>(cluster_, *who_, book_, plan);
    load_->start();
    go_on();
  }

  /// Until some more requests were accepted.
  void go_on() {
    const auto before = load_->accepted();
    await("the load goes on", [&] { return load_->accepted() >= before + some_requests; });
  }

  void expect_no_failed_request() {
    const auto seen = load_->stop();
    EXPECT_THAT(seen.faults, IsEmpty());
    EXPECT_GE(seen.posts, 3 * some_requests);
    for (const auto& r : book_.all())
      if (r.attempts.size() > 2)
        ADD_FAILURE() << told(r);
    std::cout << seen.posts << " requests, " << seen.retried << " sent twice, slowest "
              << seen.slowest_ms << " ms; " << seen.reads << " reads, " << seen.reads_failed
              << " failed" << std::endl;
    EXPECT_THAT((checker{cluster_, *who_, book_}.everything(nullptr)), IsEmpty());
  }

  static std::string told(const request& r) {
    std::ostringstream out;
    out << r.key << " needed " << r.attempts.size() << " attempts:";
    for (const auto& a : r.attempts)
      out << "\n  at " << a.at_ms << " ms node " << a.node << ' ' << a.status << ' ' << a.fault
          << " after " << a.took_ms << " ms";
    return out.str();
  }

  cluster_process cluster_;
  std::unique_ptr<people> who_;
  history book_;
  std::unique_ptr<rotation> balancer_;
  std::unique_ptr<mixed_load> load_;
};

TEST_F(moving, a_join_under_load_fails_no_request) {
  start(2);
  cluster_.start(2);
  cluster_.wait_settled();
  go_on();
  expect_no_failed_request();
}

TEST_F(moving, rolling_restart_of_three_fails_no_request) {
  start(3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster_.stop(i), 0);
    cluster_.start(i);
    cluster_.wait_settled();
    go_on();
  }
  expect_no_failed_request();
}

} // namespace
} // namespace rahat::test
