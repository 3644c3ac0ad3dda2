// Planned moves under load: clients behind a load balancer, who send a request again once with the
// same key, notice nothing.
#include "tests/cluster/checker.hpp"
#include "tests/cluster/town.hpp"
#include "tests/e2e/office.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/ws_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <algorithm>
#include <csignal>
#include <map>
#include <pqxx/pqxx>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr std::size_t some_requests = 100;

class moving : public testing::Test {
protected:
  void start(std::size_t nodes) {
    who_ = populate(cluster_, nodes);
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
    EXPECT_EQ(seen.reads_failed, 0U) << "of " << seen.reads << ", each tried twice";
    for (const auto& r : book_.all()) {
      const bool sent_away = std::any_of(r.attempts.begin(), r.attempts.end(), [](auto& a) {
        return a.fault.find("not_ready") != std::string::npos;
      });
      if (r.attempts.size() > 2 || sent_away)
        ADD_FAILURE() << told(r);
    }
    std::cout << seen.posts << " requests, " << seen.retried << " sent twice, slowest "
              << seen.slowest_ms << " ms; " << seen.reads << " reads" << std::endl;
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

/// The order of a stop: shards, gateways, `left`. A client that does not answer the closing of its
/// WebSocket keeps the gateways open for two seconds.
TEST_F(moving, a_member_that_leaves_serves_and_forwards_until_its_doors_close) {
  start(3);
  const header_list as_reader{{"Authorization", "Bearer " + who_->reader}};
  const auto list = http_send(cluster_.port_of(0), "GET", "/v2/projects", as_reader);
  const auto project = "/v2/projects/" + text(parse(list).at("items").at(0), "id");
  ws_client stubborn{cluster_.port_of(1), {"/v2/live", as_reader[0].second, ""}};
  ASSERT_TRUE(stubborn.accepted()) << stubborn.status();
  pqxx::connection owner{cluster_.owner_conninfo()};
  const auto owns_shards = [&] {
    pqxx::nontransaction work{owner};
    return !work.exec("SELECT FROM shard WHERE owner = '" + cluster_.uuid_of(1) + "'").empty();
  };
  cluster_.node(1).send_signal(SIGTERM);
  std::map<unsigned, int> answers;
  int forwarded = 0;
  for (http_reply last; last.fault.empty();) {
    const bool none_left = !owns_shards();
    last = http_send(cluster_.port_of(1), "GET", project, as_reader);
    if (last.fault.empty())
      ++answers[last.status];
    forwarded += last.ok() && none_left ? 1 : 0;
  }
  EXPECT_GT(forwarded, 10);
  answers.erase(200);
  EXPECT_THAT(answers, IsEmpty()) << "by status";
  EXPECT_EQ(cluster_.stop(1), 0);
  cluster_.start(1);
  cluster_.wait_settled();
  go_on();
  expect_no_failed_request();
}

} // namespace
} // namespace rahat::test
