#include "gateways/live/gateway.hpp"
#include "gateways/live/prometheus_live.hpp"

#include "tests/unit/live/socket_client.hpp"

#include <prometheus/metric_family.h>
#include <mutex>
#include <thread>

namespace rahat::live::test {
namespace {

using namespace std::chrono_literals;
using http::test::eventually;
using http::test::patience;

/// A hub with one topic, "feed", whose events are numbered by their token.
class fake_hub : public hub {
public:
  std::optional<error> subscribe(const http::caller& who, const std::string& topic,
                                 const std::optional<std::string>& after, std::shared_ptr<sink> to,
                                 std::function<void()> placed) override {
    if (topic != "feed" && topic != "project/1")
      return error{errc::not_found, "there is no such topic", topic};
    std::lock_guard lock(mutex_);
    user = who.user;
    if (after)
      for (auto n = std::stoi(*after) + 1; n <= published_; ++n)
        to->push(numbered(n));
    sinks_.push_back(std::move(to));
    placed();
    return std::nullopt;
  }

  void leave(const std::shared_ptr<sink>& to) override {
    std::lock_guard lock(mutex_);
    std::erase(sinks_, to);
  }

  void publish() {
    std::lock_guard lock(mutex_);
    ++published_;
    std::erase_if(sinks_, [&](auto& s) { return !s->push(numbered(published_)); });
  }

  std::size_t followers() {
    std::lock_guard lock(mutex_);
    return sinks_.size();
  }

  std::string padding;
  std::string user;

private:
  std::shared_ptr<const event> numbered(int n) {
    auto data = "{\"n\":" + std::to_string(n) + ",\"pad\":\"" + padding + "\"}";
    return make_event("feed", std::to_string(n), "ticked", "2026-01-01T00:00:00Z", data);
  }

  std::mutex mutex_;
  int published_ = 0;
  std::vector<std::shared_ptr<sink>> sinks_;
};

std::optional<http::caller> known(std::string_view token) {
  if (token == "t-asha")
    return http::caller{"asha", "reader"};
  return std::nullopt;
}

class live_test : public ::testing::Test {
protected:
  void start() {
    gateway = std::make_unique<live_gateway>(options, known, events);
    gateway->start();
    http::server_options o;
    o.upgrade_path = "/v2/live";
    o.on_upgrade = [this](http::upgraded socket) { gateway->take(std::move(socket)); };
    edge = std::make_unique<http::server>(o, http::router({}), known, probe);
    port = edge->start();
  }

  live_options options;
  prometheus_live counted;
  fake_hub events;
  http::silent_probe probe;
  std::unique_ptr<live_gateway> gateway;
  std::unique_ptr<http::server> edge;
  std::uint16_t port = 0;
};

constexpr std::string_view by_header = "Authorization: Bearer t-asha\r\n";

TEST_F(live_test, sends_the_events_of_a_topic_in_order) {
  start();
  socket_client c(port);
  EXPECT_EQ(c.shake(by_header).status, 101u);
  c.say(R"({"subscribe":["feed"]})");
  EXPECT_NE(c.text().find(R"("type":"subscribed")"), std::string::npos);
  EXPECT_EQ(events.user, "asha");
  for (int i = 0; i < 3; ++i)
    events.publish();
  EXPECT_EQ(c.text(), R"({"topic":"feed","token":"1","type":"ticked",)"
                      R"("at":"2026-01-01T00:00:00Z","data":{"n":1,"pad":""}})");
  EXPECT_NE(c.text().find(R"("token":"2")"), std::string::npos);
  EXPECT_NE(c.text().find(R"("token":"3")"), std::string::npos);
}

TEST_F(live_test, takes_the_token_as_a_subprotocol) {
  start();
  socket_client c(port);
  auto got = c.shake("Sec-WebSocket-Protocol: rahat.v2, bearer.t-asha\r\n");
  EXPECT_EQ(got.status, 101u);
  EXPECT_EQ(got.header("sec-websocket-protocol"), "rahat.v2"); // the token is not echoed
}

TEST_F(live_test, refuses_who_is_not_known) {
  start();
  for (std::string_view extra :
       {"", "Authorization: Bearer no\r\n", "Sec-WebSocket-Protocol: rahat.v2, bearer.no\r\n",
        "Sec-WebSocket-Protocol: t-asha\r\n"}) {
    socket_client c(port);
    auto got = c.shake(extra);
    EXPECT_EQ(got.status, 401u) << extra;
    EXPECT_EQ(got.header("content-type"), "application/problem+json");
    EXPECT_TRUE(c.is_closed());
  }
  EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

TEST_F(live_test, resumes_after_a_token) {
  start();
  for (int i = 0; i < 5; ++i)
    events.publish();
  socket_client c(port);
  c.shake(by_header);
  c.say(R"({"subscribe":["feed","project/1"],"after":{"feed":"3"}})");
  EXPECT_NE(c.text().find(R"("token":"4")"), std::string::npos);
  EXPECT_NE(c.text().find(R"("token":"5")"), std::string::npos);
}

TEST_F(live_test, bad_messages_get_an_error_frame_and_do_no_harm) {
  options.max_topics = 2;
  start();
  socket_client c(port);
  c.shake(by_header);
  for (std::string_view bad :
       {"{", "[]", R"({"subscribe":"feed"})", R"({"subscribe":[1]})", R"({"order":[]})",
        R"({"subscribe":["none"]})", R"({"subscribe":["a","b","c"]})", R"({"after":{"a":1}})",
        R"({"subscribe":["fe\u0000ed"]})"}) {
    c.say(bad);
    auto got = c.text();
    EXPECT_NE(got.find(R"("type":"error")"), std::string::npos) << bad << got;
    EXPECT_NE(got.find("https://rahat.io/problems/"), std::string::npos) << bad << got;
  }
  c.say("\x01\x02", 2); // binary
  EXPECT_NE(c.text().find("malformed_body"), std::string::npos);
  c.say(R"({"subscribe":["feed"]})");
  EXPECT_NE(c.text().find("subscribed"), std::string::npos);
  c.say(R"({"subscribe":["feed"]})");
  EXPECT_NE(c.text().find("already_exists"), std::string::npos);
}

TEST_F(live_test, too_long_a_message_ends_the_connection) {
  options.max_message_bytes = 1000;
  start();
  socket_client c(port);
  c.shake(by_header);
  c.say(std::string(2000, ' '));
  EXPECT_EQ(code_of(c.close_frame()), 1009u);
}

/// A client that does not read: the queue fills, the hub lets go of it, and when it reads again it
/// finds a close frame that says where to resume.
TEST_F(live_test, a_slow_client_is_closed_with_1013_and_a_place_to_resume) {
  options.max_queued_events = 10;
  options.close_timeout = patience;
  events.padding = std::string(100'000, 'p');
  start();
  socket_client c(port);
  c.shake(by_header);
  c.say(R"({"subscribe":["feed"]})");
  c.text();
  ASSERT_TRUE(eventually([&] {
    events.publish();
    return events.followers() == 0;
  }));
  std::string last;
  for (;;) {
    auto f = c.next();
    if (f.opcode == 1) {
      last = f.payload.substr(0, 40);
      continue;
    }
    EXPECT_EQ(f.opcode, 8u);
    EXPECT_EQ(code_of(f), 1013u);
    auto token = f.payload.substr(f.payload.rfind(' ') + 1);
    EXPECT_NE(f.payload.find("resume feed after"), std::string::npos) << f.payload;
    EXPECT_NE(last.find("\"token\":\"" + token + "\""), std::string::npos) << last << f.payload;
    break;
  }
}

TEST_F(live_test, a_client_that_never_reads_is_cut) {
  options.max_queued_events = 10;
  options.close_timeout = 100ms;
  events.padding = std::string(100'000, 'p');
  start();
  socket_client c(port);
  c.shake(by_header);
  c.say(R"({"subscribe":["feed"]})");
  c.text();
  ASSERT_TRUE(eventually([&] {
    events.publish();
    return events.followers() == 0;
  }));
  EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

/// The value of a family without labels.
double value_of(const prometheus_live& counted, const std::string& name) {
  for (auto& family : counted.Collect())
    if (family.name == name)
      return family.type == prometheus::MetricType::Counter ? family.metric.at(0).counter.value
                                                            : family.metric.at(0).gauge.value;
  ADD_FAILURE() << name << " is not counted";
  return -1;
}

TEST_F(live_test, counts_connections_queues_resumes_and_slow_clients) {
  options.probe = &counted;
  options.max_queued_events = 10;
  options.close_timeout = 100ms;
  events.padding = std::string(100'000, 'p');
  start();
  {
    socket_client refused(port);
    refused.shake("Authorization: Bearer no\r\n");
    EXPECT_TRUE(refused.is_closed());
  }
  EXPECT_EQ(value_of(counted, "rahat_ws_connections"), 0) << "who was refused was never there";
  socket_client c(port);
  c.shake(by_header);
  EXPECT_TRUE(eventually([&] { return value_of(counted, "rahat_ws_connections") == 1; }));
  c.say(R"({"subscribe":["feed","project/1"],"after":{"feed":"0"}})");
  EXPECT_NE(c.text().find(R"("type":"subscribed")"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return value_of(counted, "rahat_ws_resumes_total") == 1; }));
  double longest = 0;
  ASSERT_TRUE(eventually([&] {
    events.publish();
    longest = std::max(longest, value_of(counted, "rahat_ws_send_queue_messages"));
    return events.followers() == 0;
  }));
  EXPECT_GT(longest, 0);
  EXPECT_LE(longest, 10);
  EXPECT_EQ(value_of(counted, "rahat_ws_slow_consumers_total"), 1);
  EXPECT_TRUE(eventually([&] { return value_of(counted, "rahat_ws_connections") == 0; }));
  EXPECT_EQ(value_of(counted, "rahat_ws_send_queue_messages"), 0);
}

TEST_F(live_test, pings_and_cuts_who_does_not_answer) {
  options.idle_timeout = 400ms;
  start();
  socket_client c(port);
  c.shake(by_header);
  EXPECT_EQ(c.next().opcode, 9u);
  EXPECT_TRUE(c.is_closed()); // no pong was sent
  EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

TEST_F(live_test, a_client_that_leaves_is_forgotten) {
  start();
  {
    socket_client c(port);
    c.shake(by_header);
    c.say(R"({"subscribe":["feed"]})");
    c.text();
    EXPECT_EQ(events.followers(), 1u);
  }
  EXPECT_TRUE(eventually([&] { return events.followers() == 0; }));
}

TEST_F(live_test, connections_are_bounded) {
  options.max_connections = 1;
  start();
  socket_client first(port);
  EXPECT_EQ(first.shake(by_header).status, 101u);
  socket_client second(port);
  EXPECT_EQ(second.shake(by_header).status, 503u);
}

TEST_F(live_test, drain_says_going_away) {
  start();
  socket_client polite(port);
  polite.shake(by_header);
  std::thread draining([&] { gateway->drain(patience); });
  auto f = polite.close_frame();
  EXPECT_EQ(code_of(f), 1001u);
  polite.say(f.payload, 8);
  polite.shut_down_send();
  draining.join();
  EXPECT_EQ(gateway->connections(), 0u);
}

TEST_F(live_test, drain_cuts_who_does_not_close) {
  start();
  socket_client rude(port);
  rude.shake(by_header);
  rude.say(R"({"subscribe":["feed"]})");
  rude.text();
  gateway->drain(50ms);
  EXPECT_EQ(gateway->connections(), 0u);
  events.publish(); // into a queue that is gone
}

} // namespace
} // namespace rahat::live::test
