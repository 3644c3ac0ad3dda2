#include "tests/integration/store/cut_line.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace rahat::test {

namespace {

using namespace std::string_view_literals;

constexpr int look_every_ms = 5;

int unix_socket(const std::string& path, sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address = {};
  address.sun_family = AF_UNIX;
  if (fd < 0 || path.size() >= sizeof address.sun_path)
    throw std::runtime_error("no socket for " + path);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return fd;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// A Bind message of the statements "commit" and "commit_bulk" begins with this behind its length.
bool starts_batch(std::string_view bytes) {
  return bytes.size() > 12 && bytes[0] == 'B' && bytes.substr(5, 7) == "\0commit"sv;
}

bool take(std::atomic<std::uint32_t>& left) {
  auto n = left.load();
  while (n > 0)
    if (left.compare_exchange_weak(n, n - 1))
      return true;
  return false;
}

} // namespace

cut_line::cut_line(std::filesystem::path folder, std::string server_socket)
    : folder_(std::move(folder)), server_socket_(std::move(server_socket)) {
  std::filesystem::create_directories(folder_);
  const auto path = (folder_ / std::filesystem::path{server_socket_}.filename()).string();
  sockaddr_un address;
  listener_ = unix_socket(path, address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 16) != 0)
    throw std::runtime_error("cannot listen at " + path);
  thread_ = std::thread([this] { run(); });
}

cut_line::~cut_line() {
  stop_ = true;
  thread_.join();
  for (auto& w : wires_)
    hang_up(w);
  close(listener_);
}

void cut_line::hang_up(wire& w) {
  for (int* fd : {&w.client, &w.server})
    if (*fd >= 0)
      close(std::exchange(*fd, -1));
}

void cut_line::run() {
  while (!stop_) {
    if (away_)
      for (auto& w : wires_)
        hang_up(w);
    std::erase_if(wires_, [](const wire& w) { return w.client < 0; });
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    for (auto& w : wires_) {
      fds.push_back({w.client, POLLIN, 0});
      fds.push_back({w.server, POLLIN, 0});
    }
    if (poll(fds.data(), fds.size(), look_every_ms) <= 0)
      continue;
    for (std::size_t i = 0; i < wires_.size(); ++i) {
      for (const bool client : {true, false}) {
        const auto& fd = fds[1 + 2 * i + (client ? 0 : 1)];
        if (fd.revents != 0 && wires_[i].client >= 0 && !forward(wires_[i], client))
          hang_up(wires_[i]);
      }
    }
    if (fds[0].revents != 0)
      accept_one();
  }
}

void cut_line::accept_one() {
  wire w;
  w.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  sockaddr_un address;
  w.server = unix_socket(server_socket_, address);
  if (away_ || connect(w.server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return hang_up(w);
  wires_.push_back(w);
}

/// False when the wire is to be cut.
bool cut_line::forward(wire& w, bool from_client) {
  char buffer[65'536];
  const auto n = recv(from_client ? w.client : w.server, buffer, sizeof buffer, 0);
  if (n <= 0)
    return false;
  const std::string_view bytes{buffer, static_cast<std::size_t>(n)};
  if (from_client && starts_batch(bytes)) {
    if (take(before_))
      return false;
    w.lose_reply = take(after_);
  }
  if (!from_client && w.lose_reply)
    return false; // the server answers a batch once it is durable
  return send_all(from_client ? w.server : w.client, bytes);
}

} // namespace rahat::test
