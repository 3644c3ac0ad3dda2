// A real node, in this process so that a fault can be put where no outside world reaches: a
// writer's thread that dies with commits in its hands.
#include "apps/rahatd/node.hpp"
#include "tests/integration/supervision/lone_node.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <atomic>
#include <boost/json.hpp>
#include <fstream>
#include <mutex>

namespace rahat::test {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::StartsWith;

class node_supervision : public testing::Test {
protected:
  void start() {
    auto c = lone_node(scratch_.path() / "data", pg_fixture::get().empty_database());
    c.database.fsync_check = false;
    node::faults faults;
    faults.before_batch = [this](unsigned) {
      if (deaths_.load() > 0 && deaths_.fetch_sub(1) > 0)
        throw std::logic_error("killed by a test");
    };
    node_ = std::make_unique<node>(
        c,
        [this](const std::string& why) {
          std::lock_guard lock{mutex_};
          ended_ = why;
        },
        faults);
    node_->start();
    std::ifstream{node_->admin_token_file()} >> token_;
  }

  void TearDown() override {
    deaths_ = 0;
    if (node_)
      node_->stop();
  }

  header_list headers(const std::string& key = {}) const {
    header_list out{{"Authorization", "Bearer " + token_}};
    if (!key.empty()) {
      out.emplace_back("Content-Type", "application/json");
      out.emplace_back("Idempotency-Key", key);
    }
    return out;
  }

  http_reply make_vendor(const std::string& name) {
    return http_send(node_->public_port(), "POST", "/v2/vendors", headers(name),
                     R"({"name":")" + name + R"(","location":"x"})");
  }

  /// As a client does: again under the same key while the answer is 503.
  http_reply insist(const std::string& name) {
    http_reply reply;
    eventually([&] {
      reply = make_vendor(name);
      return reply.status != 503;
    });
    return reply;
  }

  json::array tree() {
    auto reply = http_send(node_->internal_port(), "GET", "/internal/v1/actors", headers());
    EXPECT_EQ(reply.status, 200U) << reply.body;
    return json::parse(reply.body).at("actors").as_array();
  }

  json::object place(const std::string& path) {
    for (auto& row : tree())
      if (row.at("path") == json::value(path))
        return row.as_object();
    return {};
  }

  std::string metrics() { return http_send(node_->internal_port(), "GET", "/metrics", {}).body; }

  std::string ended() {
    std::lock_guard lock{mutex_};
    return ended_;
  }

  scratch_folder scratch_;
  std::unique_ptr<node> node_;
  std::string token_;
  std::atomic<int> deaths_{0}; // batches that kill their writer
  std::mutex mutex_;
  std::string ended_;
};

TEST_F(node_supervision, every_part_stands_in_one_tree) {
  start();
  await("the last group has started", [&] {
    auto last = place("root/gateways/internal");
    return !last.empty() && last.at("state") == json::value("running");
  });
  std::vector<std::string> paths;
  for (auto& row : tree()) {
    paths.push_back(std::string{row.at("path").as_string()});
    EXPECT_EQ(row.at("state"), json::value("running")) << paths.back();
    EXPECT_EQ(row.at("restarts"), json::value(0)) << paths.back();
    EXPECT_NE(row.at("kind"), json::value("")) << paths.back();
    EXPECT_THAT(std::string{row.at("since").as_string()}, StartsWith("20"));
  }
  for (auto* part : {"root", "root/persistence", "root/persistence/housekeeping",
                     "root/persistence/reader-0", "root/persistence/writer-0",
                     "root/persistence/audit-signer", "root/persistence/audit-follower",
                     "root/cluster/lease", "root/cluster/heartbeat", "root/shards/region",
                     "root/shards/ticker", "root/workers/delays", "root/workers/background",
                     "root/workers/audits", "root/workers/taking", "root/gateways/live-hub",
                     "root/gateways/live", "root/gateways/public", "root/gateways/internal"})
    EXPECT_THAT(paths, testing::Contains(part));
  EXPECT_EQ(insist("counted").status, 201U);
  EXPECT_EQ(place("root/shards/region").at("health"), json::value("1 entities in memory"));
  struct stat audit {};
  ASSERT_EQ(stat((scratch_.path() / "data" / "audit").c_str(), &audit), 0);
  EXPECT_EQ(audit.st_mode & 07777, 0700U) << "signed heads are nobody else's business";
}

TEST_F(node_supervision, a_writer_that_dies_is_restarted_and_commands_go_on) {
  start();
  ASSERT_EQ(insist("before").status, 201U);
  deaths_ = 1;
  const auto first = make_vendor("during");
  EXPECT_TRUE(first.status == 201 || first.status == 503) << first.status << first.body;
  const auto during = insist("during");
  EXPECT_EQ(during.status, 201U) << during.body;
  EXPECT_EQ(insist("after").status, 201U);
  EXPECT_EQ(insist("before").status, 201U) << "a repeat of what was answered before";
  const auto writer = place("root/persistence/writer-0");
  EXPECT_EQ(writer.at("state"), json::value("running"));
  EXPECT_EQ(writer.at("restarts"), json::value(1));
  EXPECT_EQ(writer.at("last_error"), json::value("killed by a test"));
  EXPECT_EQ(place("root/persistence/reader-0").at("restarts"), json::value(0)) << "one for one";
  EXPECT_THAT(metrics(),
              HasSubstr("rahat_supervisor_restarts_total{child=\"root/persistence/writer-0\"} 1"));
  const auto list = http_send(node_->public_port(), "GET", "/v2/vendors", headers());
  EXPECT_EQ(json::parse(list.body).at("items").as_array().size(), 3U) << "each once: " << list.body;
  EXPECT_EQ(ended(), "");
}

TEST_F(node_supervision, a_writer_that_dies_each_time_ends_the_node_with_the_reason) {
  start();
  deaths_ = 1'000;
  int tried = 0;
  EXPECT_TRUE(eventually([&] {
    make_vendor("crash-" + std::to_string(++tried));
    return !ended().empty();
  }));
  EXPECT_THAT(ended(), HasSubstr("root/persistence/writer-0: killed by a test"));
}

} // namespace
} // namespace rahat::test
