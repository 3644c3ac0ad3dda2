// Postgres freezes for some seconds under load, and comes back. What clients, operators and the
// machine's memory may notice of it: docs/protocols/commit.md, "While Postgres is away".
#include "tests/e2e/ledger.hpp"
#include "tests/e2e/office.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <atomic>
#include <fstream>
#include <thread>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto reply_timeout = 2'000ms;
constexpr auto slack = 2'000ms; // of a busy machine with two cores
constexpr auto away = 8s;       // longer than lease, reply and readiness take to notice
constexpr int people = 8;
constexpr int keys_each = 10;
constexpr std::int64_t most_growth_kib = 64 * 1024;

/// What one person saw who never gives up and never takes a new key.
struct diary {
  std::array<std::string, keys_each> keys;
  std::array<bool, keys_each> done{};
  std::size_t refused = 0;
  std::size_t wrong = 0;
  std::chrono::milliseconds slowest{0};
  std::string first_wrong;
};

class database_away : public testing::Test {
protected:
  void SetUp() override {
    node_.start();
    staff_ = std::make_unique<office>(node_);
    funding_ = "/v2/projects/" + staff_->active_project() + "/fundings";
  }

  void ask(diary& d, std::size_t i) const {
    const auto began = std::chrono::steady_clock::now();
    auto reply = staff_->maker.try_post(
        funding_, {{"amount_minor", 1}, {"currency", "NPR"}, {"reference", "R"}}, d.keys[i]);
    d.slowest = std::max(d.slowest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now() - began));
    if (reply.ok()) {
      d.done[i] = true;
      return;
    }
    const bool later = reply.status == 503 || reply.status == 504 || reply.status == 409;
    ++d.refused;
    if ((!later || reply.header("Retry-After").empty()) && ++d.wrong == 1)
      d.first_wrong = std::to_string(reply.status) + " " + reply.fault + reply.body;
  }

  std::int64_t resident_kib() const {
    std::ifstream in{"/proc/" + std::to_string(node_.pid()) + "/status"};
    for (std::string line; std::getline(in, line);)
      if (line.rfind("VmRSS:", 0) == 0)
        return std::stoll(line.substr(6));
    throw std::runtime_error("the node has no memory");
  }

  http_reply readiness() const { return http_send(node_.internal_port(), "GET", "/readiness", {}); }

  node_process node_{{"--http.reply_timeout_ms", std::to_string(reply_timeout.count())}};
  std::unique_ptr<office> staff_;
  std::string funding_;
};

TEST_F(database_away, clients_are_told_to_come_back_and_every_command_lands_once) {
  std::vector<diary> diaries(people);
  for (auto& d : diaries)
    for (auto& key : d.keys)
      key = fresh_key();
  const auto before_kib = resident_kib();
  node_.freeze_postgres();
  std::atomic<bool> stop{false};
  std::vector<std::thread> crowd;
  for (auto& d : diaries)
    crowd.emplace_back([&] {
      for (std::size_t n = 0; !stop; ++n)
        ask(d, n % keys_each);
    });
  const auto frozen = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return readiness().status == 503; }));
  EXPECT_TRUE(eventually(
      [&] { return readiness().body.find("the database does not answer") != std::string::npos; }));
  EXPECT_THAT(readiness().body, HasSubstr("lapsed"));
  eventually([&] { return std::chrono::steady_clock::now() > frozen + away; });
  const auto grown_kib = resident_kib() - before_kib;
  stop = true;
  for (auto& t : crowd)
    t.join();
  node_.thaw_postgres();

  std::size_t refused = 0;
  for (auto& d : diaries) {
    EXPECT_EQ(d.wrong, 0U) << d.first_wrong;
    EXPECT_LT(d.slowest, reply_timeout + slack);
    refused += d.refused;
  }
  EXPECT_GT(refused, 1'000U) << "the crowd asked again and again";
  EXPECT_LT(grown_kib, most_growth_kib);

  EXPECT_TRUE(eventually([&] { return readiness().status == 200; })) << readiness().body;
  for (auto& d : diaries)
    for (std::size_t i = 0; i < keys_each; ++i)
      EXPECT_TRUE(eventually([&] {
        ask(d, i);
        return d.done[i];
      }));
  const auto project = staff_->maker.get(funding_.substr(0, funding_.rfind('/')));
  EXPECT_EQ(number(project, "budget_minor"), people * keys_each);
  EXPECT_EQ(number(project, "fundings"), people * keys_each);
  EXPECT_EQ(node_.stop(), 0);
}

} // namespace
} // namespace rahat::test
