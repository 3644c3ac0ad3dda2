#include "tests/unit/http/client.hpp"

#include <atomic>
#include <future>
#include <thread>

namespace rahat::http::test {
namespace {

using namespace std::chrono_literals;

class connection_test : public edge_test {};

response ok(std::string body = "{}") {
  return {200, "application/json", std::move(body), {}};
}

TEST_F(connection_test, keeps_the_connection_alive) {
  start();
  client c(port);
  for (int i = 0; i < 50; ++i) {
    c.send(get("/v2/things/" + std::to_string(i)));
    auto got = c.read();
    ASSERT_EQ(got.status, 200u);
    ASSERT_NE(got.body.find("\"id\":\"" + std::to_string(i) + "\""), std::string::npos);
  }
  EXPECT_EQ(edge->connections(), 1u);
}

TEST_F(connection_test, closes_when_asked_to) {
  start();
  client c(port);
  c.send(get("/v2/things", "Connection: close\r\n"));
  EXPECT_EQ(c.read().header("connection"), "close");
  EXPECT_TRUE(c.is_closed());
}

TEST_F(connection_test, speaks_http_1_0) {
  start();
  client once(port);
  once.send("GET /health HTTP/1.0\r\n\r\n");
  EXPECT_EQ(once.read().status, 200u);
  EXPECT_TRUE(once.is_closed());
  client kept(port);
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    auto got = kept.read();
    EXPECT_EQ(got.status, 200u);
    EXPECT_EQ(got.header("connection"), "keep-alive");
  }
}

TEST_F(connection_test, answers_pipelined_requests_in_order) {
  start();
  client c(port);
  std::string all;
  for (int i = 0; i < 200; ++i)
    all += i % 3 == 2 ? post("/v2/things", "{\"n\":" + std::to_string(i) + "}",
                             "Idempotency-Key: k" + std::to_string(i) + "\r\n")
                      : get("/v2/things/" + std::to_string(i));
  c.send(all);
  for (int i = 0; i < 200; ++i) {
    auto got = c.read();
    ASSERT_EQ(got.status, 200u) << i;
    ASSERT_NE(got.body.find(std::to_string(i)), std::string::npos) << i << got.body;
  }
}

TEST_F(connection_test, a_pipelined_request_waits_for_the_one_before) {
  start();
  client c(port);
  c.send(get("/hold") + get("/v2/things/after"));
  ASSERT_TRUE(lot.wait_for(1));
  lot.answer(0, ok("\"first\""));
  EXPECT_EQ(c.read().body, "\"first\"");
  EXPECT_NE(c.read().body.find("after"), std::string::npos);
}

TEST_F(connection_test, requests_may_arrive_byte_by_byte) {
  start();
  client c(port);
  for (char byte : "\r\n" + post("/v2/things", R"({"a":1})", "Idempotency-Key: k\r\n"))
    if (byte != '\0')
      c.send({&byte, 1});
  EXPECT_EQ(c.read().status, 200u);
}

TEST_F(connection_test, head_gives_the_length_and_no_body) {
  start();
  client c(port);
  c.send("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n");
  auto got = c.read(true);
  EXPECT_EQ(got.status, 200u);
  EXPECT_EQ(got.header("content-length"), "3");
  c.send(get("/health")); // had a body been sent, it would be read as this reply's head
  EXPECT_EQ(c.read().body, "ok\n");
}

/// RFC 9110 9.3.2: whatever the answer is. A body would be read as the head of the next reply.
TEST_F(connection_test, no_answer_to_head_has_a_body) {
  options.upgrade_path = "/v2/live";
  options.on_upgrade = [](upgraded) {};
  std::atomic<bool> ready{true};
  gates.ready = [&] { return ready.load(); };
  start();
  client c(port);
  auto head = [&](const std::string& path, std::string_view extra = {}) {
    c.send("HEAD " + path + " HTTP/1.1\r\nHost: a\r\n" + std::string(extra) + "\r\n");
    auto got = c.read(true);
    EXPECT_NE(got.header("content-length"), "0") << path << ": that of the GET";
    ready = true;
    c.send(get("/health"));
    EXPECT_EQ(c.read().body, "ok\n") << path;
    return got.status;
  };
  EXPECT_EQ(head("/nowhere", auth), 404u);
  EXPECT_EQ(head("/hold/7", auth), 405u) << "only POST is there";
  EXPECT_EQ(head("/v2/things"), 401u);
  EXPECT_EQ(head("/v2/things?offset=1", auth), 400u);
  EXPECT_EQ(head("/throw", auth), 500u);
  EXPECT_EQ(head("/v2/live", auth), 426u);
  ready = false;
  EXPECT_EQ(head("/v2/live", auth), 503u);
  ready = false;
  EXPECT_EQ(head("/v2/things", auth), 503u);
}

/// Nobody was answered, but what was begun is over.
TEST_F(connection_test, a_client_that_leaves_in_the_middle_is_not_counted_for_ever) {
  start();
  {
    client c(port);
    auto all = post("/v2/things", R"({"a":1})", "Idempotency-Key: k\r\n");
    c.send(all.substr(0, all.size() - 2));
    ASSERT_TRUE(eventually([&] { return probe.started() == 1; }));
  }
  ASSERT_TRUE(eventually([&] { return probe.finished().size() == 1; }));
  EXPECT_EQ(probe.finished()[0], "POST /v2/things 499");
}

TEST_F(connection_test, says_continue_before_it_reads_the_body) {
  start();
  client c(port);
  auto all = post("/v2/things", R"({"a":1})", "Idempotency-Key: k\r\nExpect: 100-continue\r\n");
  auto split = all.find("\r\n\r\n") + 4;
  c.send(all.substr(0, split));
  EXPECT_EQ(c.read().status, 100u);
  c.send(all.substr(split));
  EXPECT_EQ(c.read().status, 200u);
}

TEST_F(connection_test, refuses_instead_of_continue) {
  start();
  client c(port);
  auto all = post("/v2/things", R"({"a":1})", "Expect: 100-continue\r\n"); // the key is missing
  c.send(all.substr(0, all.find("\r\n\r\n") + 4));
  EXPECT_EQ(c.read().status, 400u);
}

TEST_F(connection_test, a_refused_request_with_a_short_body_keeps_the_connection) {
  start();
  client c(port);
  c.send(post("/v2/things", R"({"a":1})") + get("/v2/things/next"));
  EXPECT_EQ(c.read().status, 400u);
  EXPECT_NE(c.read().body.find("next"), std::string::npos);
}

TEST_F(connection_test, bounds_of_header_target_and_body) {
  options.max_header_bytes = 2048;
  options.max_target_bytes = 512;
  options.max_body_bytes = 1000;
  start();
  EXPECT_EQ(ask(get("/v2/things", "X-Long: " + std::string(3000, 'x') + "\r\n")).status, 431u);
  EXPECT_EQ(ask(get("/v2/things", "X-Long: " + std::string(1500, 'x') + "\r\n")).status, 200u);
  EXPECT_EQ(ask(get("/v2/things/" + std::string(600, 'x'))).status, 414u);
  EXPECT_EQ(ask(get("/v2/things/" + std::string(6000, 'x'))).status, 414u);
  const std::string key = "Idempotency-Key: k\r\n";
  EXPECT_EQ(ask(post("/v2/things", std::string(1001, ' '), key)).status, 413u);
  EXPECT_EQ(ask(post("/v2/things", std::string(1000, ' '), key)).status, 200u);
  auto chunked = "POST /v2/things HTTP/1.1\r\nHost: a\r\n" + std::string(auth) + key +
                 "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                 std::string(1001, ' ') + "\r\n0\r\n\r\n";
  EXPECT_EQ(ask(chunked).status, 413u);
  EXPECT_EQ(probe.hits(limit::header_bytes), 1);
  EXPECT_EQ(probe.hits(limit::target_length), 2);
  EXPECT_EQ(probe.hits(limit::body_bytes), 2);
}

TEST_F(connection_test, a_slow_header_is_answered_408) {
  options.header_timeout = 150ms;
  start();
  client c(port);
  c.send("GET /v2/things HTTP/1.1\r\nHost:");
  EXPECT_EQ(c.read().status, 408u);
  EXPECT_TRUE(c.is_closed());
  EXPECT_EQ(probe.hits(limit::header_deadline), 1);
}

/// Slowloris: each byte comes in time, the header never does.
TEST_F(connection_test, trickling_does_not_prolong_the_header_deadline) {
  options.header_timeout = 300ms;
  start();
  client c(port);
  c.send("GET /v2/things HTTP/1.1\r\nX: ");
  ASSERT_TRUE(c.trickle_until_answered());
  EXPECT_EQ(c.read().status, 408u);
  EXPECT_EQ(probe.hits(limit::header_deadline), 1);
}

TEST_F(connection_test, a_slow_body_is_answered_408) {
  options.body_timeout = 150ms;
  start();
  client c(port);
  auto all = post("/v2/things", R"({"a":1})", "Idempotency-Key: k\r\n");
  c.send(all.substr(0, all.size() - 2));
  EXPECT_EQ(c.read().status, 408u);
  EXPECT_EQ(probe.hits(limit::body_deadline), 1);
}

TEST_F(connection_test, idle_and_silent_connections_are_closed) {
  options.idle_timeout = 150ms;
  start();
  client silent(port);
  client served(port);
  served.send(get("/v2/things"));
  EXPECT_EQ(served.read().status, 200u);
  EXPECT_TRUE(served.is_closed());
  EXPECT_TRUE(silent.is_closed());
}

TEST_F(connection_test, no_answer_in_time_is_504_and_a_late_one_is_dropped) {
  options.reply_timeout = 150ms;
  start();
  client c(port);
  c.send(get("/hold"));
  auto got = c.read();
  EXPECT_EQ(got.status, 504u);
  EXPECT_NE(got.body.find("timed_out"), std::string::npos);
  lot.answer(0, ok("\"late\""));
  c.send(get("/v2/things/next"));
  EXPECT_NE(c.read().body.find("next"), std::string::npos);
}

TEST_F(connection_test, a_late_answer_is_not_taken_for_the_next_request) {
  options.reply_timeout = 150ms;
  start();
  client c(port);
  c.send(get("/hold"));
  EXPECT_EQ(c.read().status, 504u);
  c.send(get("/hold"));
  ASSERT_TRUE(lot.wait_for(2));
  lot.answer(0, ok("\"late\""));
  lot.answer(1, ok("\"right\""));
  EXPECT_EQ(c.read().body, "\"right\"");
}

/// Closing with unread bytes would reset the connection and could destroy the reply on its way.
TEST_F(connection_test, a_refused_upload_ends_in_order) {
  options.max_body_bytes = 1000;
  start();
  const std::string body(100'000, ' ');
  for (auto& [bytes, status] : std::vector<std::pair<std::string, unsigned>>{
           {post("/v2/things", body, "Idempotency-Key: k\r\n"), 413},
           {post("/v2/things", body, "Host: twice\r\n"), 400}}) {
    client c(port);
    EXPECT_TRUE(c.send(bytes));
    EXPECT_EQ(c.read().status, status);
    c.shut_down_send();
    EXPECT_TRUE(c.ends_in_order()) << status;
  }
}

TEST_F(connection_test, a_client_that_takes_no_reply_is_cut) {
  options.send_timeout = 200ms;
  start();
  client c(port);
  for (int i = 0; i < 8; ++i)
    c.send(get("/big"));
  EXPECT_TRUE(eventually([&] { return probe.hits(limit::send_deadline) == 1; }));
  EXPECT_TRUE(eventually([&] { return edge->connections() == 0; }));
}

TEST_F(connection_test, large_replies_arrive_whole) {
  start();
  auto got = ask(get("/big"));
  EXPECT_EQ(got.status, 200u);
  EXPECT_EQ(got.body, std::string(4'000'000, 'b'));
}

TEST_F(connection_test, a_dropped_responder_answers_503) {
  start();
  EXPECT_EQ(ask(get("/forget")).status, 503u);
  client c(port);
  c.send(get("/hold"));
  ASSERT_TRUE(lot.wait_for(1));
  lot.drop(0); // on another thread than the connection's
  auto got = c.read();
  EXPECT_EQ(got.status, 503u);
  EXPECT_NE(got.body.find("unavailable"), std::string::npos);
  EXPECT_FALSE(got.header("retry-after").empty());
}

TEST_F(connection_test, a_handler_that_throws_is_a_500_and_harms_nobody) {
  start();
  client c(port);
  c.send(get("/throw") + get("/v2/things/next"));
  EXPECT_EQ(c.read().status, 500u);
  EXPECT_EQ(c.read().status, 200u);
}

TEST_F(connection_test, the_first_answer_counts) {
  start();
  client c(port);
  c.send(get("/hold"));
  ASSERT_TRUE(lot.wait_for(1));
  lot.answer(0, ok("1"));
  lot.answer(0, ok("2"));
  EXPECT_EQ(c.read().body, "1");
  c.send(get("/v2/things/x"));
  EXPECT_NE(c.read().body.find("\"x\""), std::string::npos);
}

TEST_F(connection_test, beyond_the_bound_connections_are_told_503) {
  options.max_connections = 2;
  start();
  client first(port);
  client second(port);
  for (auto* c : {&first, &second}) {
    c->send(get("/v2/things"));
    ASSERT_EQ(c->read().status, 200u);
  }
  client third(port);
  auto got = third.read();
  EXPECT_EQ(got.status, 503u);
  EXPECT_FALSE(got.header("retry-after").empty());
  EXPECT_EQ(probe.hits(limit::connections), 1);
  first.send(get("/v2/things"));
  EXPECT_EQ(first.read().status, 200u);
}

TEST_F(connection_test, the_same_key_in_flight_is_409_for_the_same_user_and_path_only) {
  start();
  const std::string key = "Idempotency-Key: k\r\n";
  client first(port);
  first.send(post("/hold/a", "", key));
  ASSERT_TRUE(lot.wait_for(1));
  auto again = ask(post("/hold/a", "", key));
  EXPECT_EQ(again.status, 409u);
  EXPECT_NE(again.body.find("idempotency_key_in_flight"), std::string::npos);
  EXPECT_EQ(again.header("retry-after"), "1");
  client other_path(port);
  other_path.send(post("/hold/b", "", key));
  ASSERT_TRUE(lot.wait_for(2));
  client other_user(port);
  other_user.send("POST /hold/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t-bina\r\n" + key +
                  "\r\n");
  ASSERT_TRUE(lot.wait_for(3));
  lot.answer(0, ok());
  EXPECT_EQ(first.read().status, 200u);
  client later(port); // the key is free again
  later.send(post("/hold/a", "", key));
  ASSERT_TRUE(lot.wait_for(4));
}

TEST_F(connection_test, the_table_of_keys_is_bounded) {
  options.max_in_flight_keys = 1;
  start();
  client first(port);
  first.send(post("/hold/a", "", "Idempotency-Key: 1\r\n"));
  ASSERT_TRUE(lot.wait_for(1));
  EXPECT_EQ(ask(post("/hold/a", "", "Idempotency-Key: 2\r\n")).status, 503u);
  EXPECT_EQ(probe.hits(limit::in_flight_keys), 1);
}

TEST_F(connection_test, several_io_threads_serve) {
  options.io_threads = 2;
  start();
  std::vector<std::unique_ptr<client>> clients;
  for (int i = 0; i < 8; ++i)
    clients.push_back(std::make_unique<client>(port));
  for (int round = 0; round < 20; ++round) {
    for (auto& c : clients)
      c->send(get("/v2/things/7"));
    for (auto& c : clients)
      ASSERT_EQ(c->read().status, 200u);
  }
}

TEST_F(connection_test, drain_closes_the_idle_and_lets_the_busy_finish) {
  start();
  client idle(port);
  idle.send(get("/v2/things"));
  ASSERT_EQ(idle.read().status, 200u);
  client busy(port);
  busy.send(get("/hold"));
  ASSERT_TRUE(lot.wait_for(1));
  auto drained = std::async(std::launch::async, [&] { return edge->drain(patience); });
  EXPECT_TRUE(idle.is_closed());
  lot.answer(0, ok("\"finished\""));
  auto got = busy.read();
  EXPECT_EQ(got.body, "\"finished\"");
  EXPECT_EQ(got.header("connection"), "close");
  EXPECT_TRUE(drained.get());
}

/// The loops' timer may be due at the very moment of the stop and must not keep them alive.
TEST_F(connection_test, drain_ends_at_any_moment_of_the_tick) {
  options.io_threads = 2;
  for (int i = 0; i < 40; ++i) {
    start();
    auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 99ms + i * 50us)
      std::this_thread::yield();
    EXPECT_TRUE(edge->drain(patience));
  }
}

TEST_F(connection_test, drain_cuts_what_does_not_finish) {
  start();
  client busy(port);
  busy.send(get("/hold"));
  ASSERT_TRUE(lot.wait_for(1));
  EXPECT_FALSE(edge->drain(50ms));
  EXPECT_TRUE(busy.is_closed());
  edge.reset();
  lot.answer(0, ok()); // after the server is gone: nothing happens
}

TEST_F(connection_test, a_websocket_handshake_is_handed_over) {
  options.upgrade_path = "/v2/live";
  std::promise<upgraded> handed;
  options.on_upgrade = [&](upgraded socket) { handed.set_value(std::move(socket)); };
  start();
  EXPECT_EQ(ask(get("/v2/live")).status, 426u);
  auto bytes = get("/v2/live?x=1", "Connection: Upgrade\r\nUpgrade: websocket\r\n") + "early";
  client c(port);
  c.send(bytes);
  auto waiting = handed.get_future();
  ASSERT_EQ(waiting.wait_for(patience), std::future_status::ready);
  {
    auto socket = waiting.get();
    EXPECT_TRUE(socket.bytes_read.starts_with("GET /v2/live?x=1 HTTP/1.1\r\n"));
    EXPECT_EQ(socket.path, "/v2/live?x=1");
    EXPECT_TRUE(eventually([&] { return edge->connections() == 0; }));
  }
  EXPECT_TRUE(c.is_closed()); // dropped, so closed
}

TEST_F(connection_test, an_address_in_use_is_an_error_that_names_it) {
  start();
  options.port = port;
  server second(options, router(routes), nullptr, probe);
  try {
    second.start();
    FAIL() << "two servers on one port";
  } catch (const std::system_error& e) {
    EXPECT_NE(std::string(e.what()).find(std::to_string(port)), std::string::npos);
  }
}

} // namespace
} // namespace rahat::http::test
