#include "gateways/http/faults.hpp"

#include "tests/unit/http/client.hpp"

#include <atomic>
#include <stdexcept>

/// Exceptions that no code should let get as far as an io thread.
namespace rahat::http::test {
namespace {

using namespace std::chrono_literals;

class faults_test : public edge_test {
protected:
  /// A server whose authenticator breaks its promise for one token.
  void start_fragile() {
    auto who = [](std::string_view token) -> std::optional<caller> {
      if (token == "bad")
        throw std::runtime_error("a bug in the book of tokens");
      return caller{"asha", "maker"};
    };
    edge = std::make_unique<server>(options, router(routes, gates), who, probe);
    port = edge->start();
  }

  static std::string poisoned() {
    return "GET /v2/things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer bad\r\n\r\n";
  }
};

TEST_F(faults_test, an_exception_ends_its_connection_and_no_other) {
  start_fragile();
  client neighbour(port);
  neighbour.send(get("/v2/things/1"));
  ASSERT_EQ(neighbour.read().status, 200u);
  client unlucky(port);
  unlucky.send(poisoned());
  EXPECT_TRUE(unlucky.is_closed());
  EXPECT_TRUE(eventually([&] { return probe.faults() == 1; }));
  neighbour.send(get("/v2/things/2"));
  EXPECT_EQ(neighbour.read().status, 200u);
  EXPECT_EQ(ask(get("/v2/things/3")).status, 200u) << "newcomers are let in";
  EXPECT_TRUE(eventually([&] { return edge->connections() == 1; }));
  EXPECT_FALSE(edge->broken());
}

/// The timer is the thread's own: no connection is at fault, and all deadlines hang on it.
TEST_F(faults_test, an_exception_of_the_timer_leaves_thread_and_deadlines_alive) {
  std::atomic<int> asked{0};
  options.wall_clock_seconds = [&]() -> std::int64_t {
    if (++asked == 2)
      throw std::runtime_error("no clock");
    return 1'795'219'200 + asked;
  };
  options.idle_timeout = 150ms;
  start();
  ASSERT_TRUE(eventually([&] { return asked > 2; })) << "it goes on ticking";
  EXPECT_EQ(probe.faults(), 1);
  client c(port);
  c.send(get("/v2/things"));
  EXPECT_EQ(c.read().status, 200u);
  EXPECT_TRUE(c.is_closed()) << "by the idle deadline";
}

/// Its owner starts another one; see docs/protocols/supervision.md.
TEST_F(faults_test, too_many_in_a_minute_are_told_to_the_owner_once) {
  start_fragile();
  std::atomic<int> told{0};
  std::mutex mutex;
  std::string reason;
  edge->watch([&](const std::string& why) {
    std::lock_guard lock{mutex};
    reason = why;
    ++told;
  });
  auto fail = [&] {
    client c(port);
    c.send(poisoned());
    EXPECT_TRUE(c.is_closed());
  };
  for (std::size_t n = 0; n < fault_watch::max_a_minute; ++n)
    fail();
  EXPECT_EQ(told, 0);
  EXPECT_FALSE(edge->broken());
  fail();
  fail();
  EXPECT_TRUE(eventually([&] { return told == 1; }));
  EXPECT_TRUE(edge->broken());
  std::lock_guard lock{mutex};
  EXPECT_NE(reason.find("a bug in the book of tokens"), std::string::npos) << reason;
  EXPECT_EQ(ask(get("/v2/things/3")).status, 200u) << "it serves until it is replaced";
  client left(port);
  edge->drain(0ms);
  EXPECT_TRUE(left.is_closed());
  options.port = port;
  start_fragile();
  EXPECT_EQ(ask(get("/v2/things/4")).status, 200u) << "by another one on its port";
  EXPECT_FALSE(edge->broken());
}

TEST(fault_watch_test, few_in_any_minute_are_borne_for_ever_and_a_late_owner_is_told_at_once) {
  silent_probe metrics;
  fault_watch faults{metrics};
  auto now = std::chrono::steady_clock::time_point{1h};
  auto happen = [&] {
    faults.happened("test", std::make_exception_ptr(std::runtime_error("x")), now);
  };
  for (std::size_t n = 0; n < 5 * fault_watch::max_a_minute; ++n) {
    happen();
    now += 60s / static_cast<int>(fault_watch::max_a_minute);
  }
  EXPECT_FALSE(faults.broken());
  for (std::size_t n = 0; n <= fault_watch::max_a_minute; ++n)
    happen();
  EXPECT_TRUE(faults.broken());
  int told = 0;
  for (int owner = 0; owner < 2; ++owner)
    faults.watch([&](const std::string&) { ++told; });
  EXPECT_EQ(told, 1);
}

} // namespace
} // namespace rahat::http::test
