#include "tests/support/http_client.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <map>
#include <mutex>

namespace rahat::test {

namespace {

namespace http = boost::beast::http;
using steady = std::chrono::steady_clock;

constexpr std::uint64_t max_reply_bytes = 256 << 20;

bool wait_for(int fd, short what, steady::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now());
  pollfd asked{fd, what, 0};
  return ::poll(&asked, 1, std::max(0, static_cast<int>(left.count()))) > 0;
}

http_reply reply_of(const http::response<http::string_body>& message) {
  http_reply out;
  out.status = message.result_int();
  out.body = message.body();
  for (auto& field : message)
    out.headers.emplace_back(std::string{field.name_string()}, std::string{field.value()});
  return out;
}

/// Where the listeners are that are not on this host's loopback.
struct away_book {
  std::mutex mutex;
  std::map<std::uint16_t, in_addr_t> addresses;

  static away_book& get() {
    static away_book one;
    return one;
  }
};

in_addr_t address_of(std::uint16_t port) {
  auto& book = away_book::get();
  std::lock_guard lock{book.mutex};
  const auto found = book.addresses.find(port);
  return found == book.addresses.end() ? htonl(INADDR_LOOPBACK) : found->second;
}

http_reply fault_of(std::string why) {
  http_reply out;
  out.fault = std::move(why);
  return out;
}

} // namespace

void port_is_at(std::uint16_t port, const std::string& address) {
  auto& book = away_book::get();
  std::lock_guard lock{book.mutex};
  book.addresses[port] = ::inet_addr(address.c_str());
}

std::string http_reply::header(std::string_view name) const {
  for (auto& [key, value] : headers)
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0)
      return value;
  return {};
}

http_connection::http_connection(std::uint16_t port, std::chrono::milliseconds limit)
    : limit_(limit) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = address_of(port);
  if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

http_connection::~http_connection() {
  if (fd_ >= 0)
    ::close(fd_);
}

bool http_connection::send(std::string_view bytes) {
  const auto deadline = steady::now() + limit_;
  while (!bytes.empty()) {
    if (fd_ < 0 || !wait_for(fd_, POLLOUT, deadline))
      return false;
    auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void http_connection::end_sending() {
  ::shutdown(fd_, SHUT_WR);
}

http_reply http_connection::read() {
  if (fd_ < 0)
    return fault_of("nobody listens");
  http::response_parser<http::string_body> parser;
  parser.body_limit(max_reply_bytes);
  parser.eager(true);
  const auto deadline = steady::now() + limit_;
  std::array<char, 65536> piece;
  boost::system::error_code failed;
  for (;;) {
    if (!left_.empty()) {
      auto used = parser.put(boost::asio::buffer(left_), failed);
      left_.erase(0, used);
      if (failed && failed != http::error::need_more)
        return fault_of("the answer is not HTTP: " + failed.message());
      if (parser.is_done())
        return reply_of(parser.get());
    }
    if (!wait_for(fd_, POLLIN, deadline))
      return fault_of("no answer in time");
    auto n = ::recv(fd_, piece.data(), piece.size(), 0);
    if (n < 0)
      return fault_of("the connection was reset");
    if (n == 0) {
      if (parser.got_some())
        parser.put_eof(failed);
      if (parser.is_done() && !failed)
        return reply_of(parser.get());
      return fault_of("the connection was closed before an answer");
    }
    left_.append(piece.data(), static_cast<std::size_t>(n));
  }
}

bool http_connection::closed_by_peer() {
  const auto deadline = steady::now() + limit_;
  std::array<char, 4096> ignored;
  while (wait_for(fd_, POLLIN, deadline))
    if (::recv(fd_, ignored.data(), ignored.size(), 0) <= 0)
      return true;
  return false;
}

std::string request_text(std::string_view method, std::string_view target,
                         const header_list& headers, std::string_view body) {
  std::string out{method};
  out.append(" ").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  for (auto& [name, value] : headers)
    out.append(name).append(": ").append(value).append("\r\n");
  if (!body.empty() || method == "POST")
    out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  return out.append("\r\n").append(body);
}

http_reply http_send(std::uint16_t port, std::string_view method, std::string_view target,
                     const header_list& headers, std::string_view body,
                     std::chrono::milliseconds limit) {
  http_connection connection{port, limit};
  auto all = headers;
  all.emplace_back("Connection", "close");
  // A refusal may come before the body was taken: then there is an answer all the same.
  connection.send(request_text(method, target, all, body));
  return connection.read();
}

} // namespace rahat::test
