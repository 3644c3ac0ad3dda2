#include "tests/unit/http/client.hpp"

#include "gateways/http/text.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <thread>

namespace rahat::http::test {

namespace {

int millis(std::chrono::milliseconds d) {
  return static_cast<int>(d.count());
}

bool wait(int fd, short events, std::chrono::milliseconds limit) {
  pollfd p{fd, events, 0};
  return ::poll(&p, 1, millis(limit)) > 0;
}

route simple(method verb, std::string pattern) {
  route row;
  row.verb = verb;
  row.pattern = std::move(pattern);
  row.tag = "test";
  row.summary = "A route of the tests.";
  row.response_schema = R"({"type":"object"})";
  return row;
}

/// Answers with what arrived, so that tests see what a handler sees.
void echo(request ask, responder done) {
  response answer;
  answer.body = "{\"path\":";
  append_json_string(answer.body, ask.path);
  for (auto& [name, value] : ask.params) {
    answer.body += ",\"" + name + "\":";
    append_json_string(answer.body, value);
  }
  for (auto& [name, value] : ask.query) {
    answer.body += ",\"?" + name + "\":";
    append_json_string(answer.body, value);
  }
  answer.body += ",\"user\":\"" + ask.who.user + "\",\"body\":";
  append_json_string(answer.body, ask.body);
  answer.body += '}';
  done(std::move(answer));
}

std::optional<caller> known_tokens(std::string_view token) {
  if (token == "t-asha")
    return caller{"asha", "maker"};
  if (token == "t-bina")
    return caller{"bina", "reader"};
  if (token == "t-root")
    return caller{"root", "admin"};
  return std::nullopt;
}

} // namespace

client::client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
}

client::~client() {
  ::close(fd_);
}

bool client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait(fd_, POLLOUT, patience))
      return false;
    auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::size_t client::send_some(std::string_view bytes) {
  auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

bool client::wait_writable(std::chrono::milliseconds limit) {
  return wait(fd_, POLLOUT, limit);
}

bool client::wait_readable(std::chrono::milliseconds limit) {
  return wait(fd_, POLLIN, limit);
}

bool client::trickle_until_answered() {
  auto until = std::chrono::steady_clock::now() + patience;
  while (!wait_readable(std::chrono::milliseconds(10))) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    send("x");
  }
  return true;
}

void client::shut_down_send() {
  ::shutdown(fd_, SHUT_WR);
}

bool client::more() {
  char piece[65536];
  if (!wait(fd_, POLLIN, patience))
    return false;
  auto n = ::recv(fd_, piece, sizeof(piece), 0);
  if (n <= 0)
    return false;
  buffer_.append(piece, static_cast<std::size_t>(n));
  return true;
}

reply client::read(bool head_only) {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!more())
      return {};
  reply out;
  std::string_view head(buffer_.data(), end + 2);
  out.status = static_cast<unsigned>(std::stoi(std::string(head.substr(9, 3))));
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    auto colon = line.find(':');
    out.headers[to_lower(line.substr(0, colon))] = std::string(trim(line.substr(colon + 1)));
  }
  buffer_.erase(0, end + 4);
  auto length =
      out.headers.contains("content-length") ? std::stoul(out.header("content-length")) : 0;
  if (head_only || out.status < 200)
    length = 0;
  while (buffer_.size() < length)
    if (!more())
      return {};
  out.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return out;
}

std::string client::take(std::size_t n) {
  while (buffer_.size() < n)
    if (!more())
      return {};
  auto out = buffer_.substr(0, n);
  buffer_.erase(0, n);
  return out;
}

bool client::is_closed() {
  char piece[65536];
  for (;;) {
    if (!wait(fd_, POLLIN, patience))
      return false;
    auto n = ::recv(fd_, piece, sizeof(piece), 0);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
      return true;
    if (n < 0)
      return false;
  }
}

bool client::ends_in_order() {
  char piece[65536];
  ssize_t n = 1;
  while (n > 0 && wait_readable(patience))
    n = ::recv(fd_, piece, sizeof(piece), 0);
  return n == 0;
}

std::string get(std::string_view path, std::string_view extra) {
  std::string out = "GET ";
  out += path;
  out += " HTTP/1.1\r\nHost: a\r\n";
  out += auth;
  out += extra;
  return out + "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view extra) {
  std::string out = "POST ";
  out += path;
  out += " HTTP/1.1\r\nHost: a\r\n";
  out += auth;
  out +=
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  out += extra;
  out += "\r\n";
  out += body;
  return out;
}

void counting_probe::limit_hit(limit what) {
  std::lock_guard lock(mutex_);
  ++hits_[what];
}

void counting_probe::request_finished(std::string_view route, method verb, unsigned status,
                                      double) {
  std::lock_guard lock(mutex_);
  finished_.push_back(std::string(to_string(verb)) + " " + std::string(route) + " " +
                      std::to_string(status));
}

int counting_probe::hits(limit what) {
  std::lock_guard lock(mutex_);
  return hits_[what];
}

std::vector<std::string> counting_probe::finished() {
  std::lock_guard lock(mutex_);
  return finished_;
}

void parking_lot::park(request, responder done) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(std::make_unique<responder>(std::move(done)));
  changed_.notify_all();
}

bool parking_lot::wait_for(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return waiting_.size() >= count; });
}

void parking_lot::answer(std::size_t i, response r) {
  std::lock_guard lock(mutex_);
  (*waiting_.at(i))(std::move(r));
}

void parking_lot::drop(std::size_t i) {
  std::lock_guard lock(mutex_);
  waiting_.at(i).reset();
}

edge_test::edge_test() {
  auto health = simple(method::get, "/health");
  health.handle = [](request, responder done) { done({200, "text/plain", "ok\n", {}}); };
  auto list = simple(method::get, "/v2/things");
  list.query = {{"cursor", "where to go on"}, {"limit", "how many"}};
  list.handle = echo;
  auto one = simple(method::get, "/v2/things/{id}");
  one.handle = echo;
  auto special = simple(method::get, "/v2/things/special");
  special.handle = [](request, responder done) { done({200, "application/json", "1", {}}); };
  auto make = simple(method::post, "/v2/things");
  make.body = body_kind::json;
  make.needs_idempotency_key = true;
  make.roles = {"maker", "operator"};
  make.handle = echo;
  auto act = simple(method::post, "/v2/things/{id}/parts/{part}/act");
  act.handle = echo;
  auto hold = simple(method::get, "/hold");
  hold.handle = [this](request ask, responder done) { lot.park(std::move(ask), std::move(done)); };
  auto hold_post = simple(method::post, "/hold/{id}");
  hold_post.needs_idempotency_key = true;
  hold_post.handle = hold.handle;
  auto fail = simple(method::get, "/throw");
  fail.handle = [](request, responder) { throw std::runtime_error("a bug"); };
  auto forget = simple(method::get, "/forget");
  forget.handle = [](request, responder) {};
  auto big = simple(method::get, "/big");
  big.handle = [](request, responder done) {
    done({200, "application/json", std::string(4'000'000, 'b'), {}});
  };
  routes = {health, list, one, special, make, act, hold, hold_post, fail, forget, big};
}

edge_test::~edge_test() = default;

std::uint16_t edge_test::start() {
  edge = std::make_unique<server>(options, router(routes, gates), known_tokens, probe);
  return port = edge->start();
}

reply edge_test::ask(std::string_view bytes, bool head_only) {
  client c(port);
  c.send(bytes);
  return c.read(head_only);
}

bool eventually(const std::function<bool()>& condition) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::yield();
  }
  return true;
}

} // namespace rahat::http::test
