#include "tests/unit/http/client.hpp"

#include <atomic>
#include <thread>

namespace rahat::http::test {
namespace {

using namespace std::chrono_literals;

/// What a test's body reader has seen, and how it behaves.
struct script {
  std::mutex mutex;
  std::size_t bytes = 0;
  std::uint64_t sum = 0;
  std::size_t largest = 0;
  bool stop_at_once = false;
  bool hold = false; // keep `proceed` until the test calls it
  std::function<void(bool)> held;
  std::atomic<int> finished{0};
  std::atomic<bool> complete{false};
};

class scripted_reader : public body_reader {
public:
  explicit scripted_reader(std::shared_ptr<script> s) : script_(std::move(s)) {}

  void on_bytes(std::string_view piece, std::function<void(bool)> proceed) override {
    std::unique_lock lock(script_->mutex);
    script_->bytes += piece.size();
    script_->largest = std::max(script_->largest, piece.size());
    for (unsigned char byte : piece)
      script_->sum += byte;
    if (script_->hold) {
      script_->held = std::move(proceed);
      return;
    }
    auto go_on = !script_->stop_at_once;
    lock.unlock();
    proceed(go_on);
  }

  void finish(bool complete, responder done) override {
    script_->complete = complete;
    ++script_->finished;
    done({complete ? 202u : 422u, "application/json", std::to_string(script_->bytes), {}});
  }

private:
  std::shared_ptr<script> script_;
};

class stream_test : public edge_test {
protected:
  stream_test() {
    route row;
    row.verb = method::post;
    row.pattern = "/upload";
    row.body = body_kind::stream;
    row.content_types = {"text/csv", "application/json"};
    row.handle_stream = [s = seen](request) { return std::make_unique<scripted_reader>(s); };
    routes.push_back(row);
  }

  static std::string head(std::string_view framing) {
    return "POST /upload HTTP/1.1\r\nHost: a\r\n" + std::string(auth) +
           "Content-Type: text/csv\r\n" + std::string(framing) + "\r\n";
  }

  std::shared_ptr<script> seen = std::make_shared<script>();
};

TEST_F(stream_test, a_long_body_passes_in_pieces) {
  start();
  std::string body(3'000'000, 'a');
  client c(port);
  c.send(head("Content-Length: " + std::to_string(body.size()) + "\r\n"));
  c.send(body);
  auto got = c.read();
  EXPECT_EQ(got.status, 202u);
  EXPECT_EQ(got.body, std::to_string(body.size()));
  EXPECT_EQ(seen->sum, body.size() * 'a');
  EXPECT_LE(seen->largest, 65536u);
  c.send(get("/v2/things/next")); // the connection lives on
  EXPECT_EQ(c.read().status, 200u);
}

TEST_F(stream_test, chunked_and_empty_bodies_pass) {
  start();
  EXPECT_EQ(ask(head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n").body,
            "4");
  seen->bytes = 0;
  EXPECT_EQ(ask(head("Content-Length: 0\r\n")).body, "0");
}

/// Until the reader says "proceed" nothing more is read, so the client's sending comes to a halt.
TEST_F(stream_test, a_slow_reader_holds_the_client_back) {
  seen->hold = true;
  start();
  client c(port);
  const std::size_t length = 64u << 20;
  c.send(head("Content-Length: " + std::to_string(length) + "\r\n"));
  std::string piece(1 << 20, 'x');
  std::size_t sent = 0;
  while (sent < length && c.wait_writable(300ms))
    sent += c.send_some(piece);
  EXPECT_LT(sent, length) << "everything was taken although the reader took one piece";
  auto proceed = [&] {
    std::lock_guard lock(seen->mutex);
    seen->hold = false;
    return std::exchange(seen->held, nullptr);
  }();
  ASSERT_TRUE(proceed);
  proceed(true);
  while (sent < length) {
    auto most = std::min(piece.size(), length - sent);
    ASSERT_TRUE(c.wait_writable(patience));
    sent += c.send_some(std::string_view(piece).substr(0, most));
  }
  EXPECT_EQ(c.read().body, std::to_string(length));
}

TEST_F(stream_test, a_reader_may_stop) {
  seen->stop_at_once = true;
  start();
  client c(port);
  c.send(head("Content-Length: 1000000\r\n") + "first");
  auto got = c.read();
  EXPECT_EQ(got.status, 422u);
  EXPECT_EQ(got.header("connection"), "close");
  EXPECT_FALSE(seen->complete);
}

TEST_F(stream_test, a_client_that_breaks_off_is_noticed) {
  start();
  {
    client c(port);
    c.send(head("Content-Length: 1000\r\n") + "first");
  }
  EXPECT_TRUE(eventually([&] { return seen->finished == 1; }));
  EXPECT_FALSE(seen->complete);
}

TEST_F(stream_test, too_long_a_stream_is_413) {
  options.max_stream_bytes = 1000;
  start();
  EXPECT_EQ(ask(head("Content-Length: 1001\r\n")).status, 413u);
  EXPECT_EQ(ask(head("Transfer-Encoding: chunked\r\n") + "3e9\r\n" + std::string(1001, 'x') +
                "\r\n0\r\n\r\n")
                .status,
            413u);
}

TEST_F(stream_test, a_stalled_stream_is_408_and_a_trickle_too) {
  options.body_timeout = 200ms;
  start();
  client stalled(port);
  stalled.send(head("Content-Length: 100000\r\n") + "abc");
  EXPECT_EQ(stalled.read().status, 408u);
  client trickling(port);
  trickling.send(head("Content-Length: 100000\r\n"));
  ASSERT_TRUE(trickling.trickle_until_answered());
  EXPECT_EQ(trickling.read().status, 408u);
  EXPECT_EQ(probe.hits(limit::body_deadline), 2);
  EXPECT_TRUE(eventually([&] { return seen->finished == 2; }));
}

TEST_F(stream_test, a_reader_that_never_goes_on_is_504) {
  options.reply_timeout = 150ms;
  seen->hold = true;
  start();
  EXPECT_EQ(ask(head("Content-Length: 10\r\n") + "abc").status, 504u);
  EXPECT_TRUE(eventually([&] { return seen->finished == 1; }));
}

} // namespace
} // namespace rahat::http::test
