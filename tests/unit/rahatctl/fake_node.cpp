#include "fake_node.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace rahat::ctl {

namespace {

// Reads until `done` says so or the peer is through.
template <class Done>
void read_until(int connection, std::string& into, Done done) {
  std::array<char, 4096> piece{};
  while (!done()) {
    auto count = recv(connection, piece.data(), piece.size(), 0);
    if (count <= 0)
      return;
    into.append(piece.data(), static_cast<std::size_t>(count));
  }
}

std::string header_value(const std::string& head, const std::string& name) {
  auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos)
    return "";
  at += name.size() + 4;
  return head.substr(at, head.find("\r\n", at) - at);
}

std::string unchunked(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    auto length = std::stoul(text.substr(at), nullptr, 16);
    if (length == 0)
      break;
    at = text.find("\r\n", at) + 2;
    out += text.substr(at, length);
    at += length + 2;
  }
  return out;
}

} // namespace

fake_node::fake_node() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || bind(listener_, generic, length) != 0 || listen(listener_, 8) != 0 ||
      getsockname(listener_, generic, &length) != 0)
    throw std::runtime_error("cannot listen on the loopback");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

fake_node::~fake_node() {
  shutdown(listener_, SHUT_RDWR); // wakes accept
  thread_.join();
  close(listener_);
}

void fake_node::on(const std::string& method_and_path, reply answer) {
  on(method_and_path, std::vector<reply>{std::move(answer)});
}

void fake_node::on(const std::string& method_and_path, std::vector<reply> answers) {
  std::lock_guard lock(lock_);
  replies_[method_and_path] = std::move(answers);
}

std::vector<fake_node::request> fake_node::requests() const {
  std::lock_guard lock(lock_);
  return requests_;
}

void fake_node::serve() {
  for (;;) {
    int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0)
      return;
    answer(connection);
    close(connection);
  }
}

void fake_node::answer(int connection) {
  std::string text;
  read_until(connection, text, [&] { return text.find("\r\n\r\n") != std::string::npos; });
  auto end = text.find("\r\n\r\n");
  if (end == std::string::npos)
    return;
  request got;
  got.head = text.substr(0, end + 2);
  got.line = got.head.substr(0, got.head.find("\r\n"));
  got.body = text.substr(end + 4);
  if (header_value(got.head, "Transfer-Encoding") == "chunked") {
    read_until(connection, got.body, [&] { return got.body.ends_with("0\r\n\r\n"); });
    got.body = unchunked(got.body);
  } else if (auto length = header_value(got.head, "Content-Length"); !length.empty()) {
    read_until(connection, got.body, [&] { return got.body.size() >= std::stoul(length); });
  }

  reply out{404, R"({"title":"Not found","detail":"there is no such path"})",
            "application/problem+json"};
  {
    std::lock_guard lock(lock_);
    requests_.push_back(got);
    auto known = replies_.find(got.line.substr(0, got.line.rfind(' ')));
    if (known != replies_.end()) {
      auto& left = known->second;
      out = left.front();
      if (left.size() > 1)
        left.erase(left.begin());
    }
  }
  auto bytes = "HTTP/1.1 " + std::to_string(out.status) + " x\r\nConnection: close\r\n" +
               "Content-Type: " + out.content_type + "\r\n" + out.headers +
               "Content-Length: " + std::to_string(out.body.size()) + "\r\n\r\n" + out.body;
  for (std::size_t sent = 0; sent < bytes.size();) {
    auto count = send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0)
      return;
    sent += static_cast<std::size_t>(count);
  }
}

} // namespace rahat::ctl
