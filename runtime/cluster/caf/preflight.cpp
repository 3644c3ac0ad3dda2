#include "runtime/cluster/caf/preflight.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <memory>

namespace rahat::cluster {

namespace {

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const { return fd_; }

private:
  int fd_;
};

std::string text_of(int code) {
  return std::strerror(code);
}

std::optional<std::string> try_one(const addrinfo& where, std::chrono::milliseconds limit) {
  descriptor s{::socket(where.ai_family, where.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (s.get() < 0)
    return text_of(errno);
  if (::connect(s.get(), where.ai_addr, where.ai_addrlen) == 0)
    return std::nullopt;
  if (errno != EINPROGRESS)
    return text_of(errno);
  pollfd wait{s.get(), POLLOUT, 0};
  if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0)
    return "no answer within " + std::to_string(limit.count()) + " ms";
  int code = 0;
  socklen_t size = sizeof code;
  ::getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  return code == 0 ? std::nullopt : std::optional{text_of(code)};
}

} // namespace

std::optional<std::string> preflight(const std::string& host, std::uint16_t port,
                                     std::chrono::milliseconds limit) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const auto code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> all{found, [](addrinfo* a) {
                                                       if (a != nullptr)
                                                         ::freeaddrinfo(a);
                                                     }};
  if (code != 0)
    return std::string{::gai_strerror(code)};
  // The first address is the one that CAF will try.
  return try_one(*all, limit);
}

} // namespace rahat::cluster
