#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rahat::test {

using header_list = std::vector<std::pair<std::string, std::string>>;

struct http_reply {
  unsigned status = 0; // 0: no answer, see fault
  std::string body;
  header_list headers;
  std::string fault; // "" when there was an answer

  /// The value of the first header of that name in any case, or "".
  std::string header(std::string_view name) const;
  bool ok() const { return status >= 200 && status < 300; }
};

/// From now on connections to this port go to this IPv4 address instead of 127.0.0.1: a node in a
/// network namespace listens there. Any thread.
void port_is_at(std::uint16_t port, const std::string& address);

/// One TCP connection to 127.0.0.1 (or see `port_is_at`), for requests that a well-behaved client
/// would never send. Every wait ends after `limit`. One thread.
class http_connection {
public:
  explicit http_connection(std::uint16_t port,
                           std::chrono::milliseconds limit = std::chrono::seconds{30});
  ~http_connection();
  http_connection(const http_connection&) = delete;
  http_connection& operator=(const http_connection&) = delete;

  bool connected() const { return fd_ >= 0; }

  /// False when the other side has closed before all was sent.
  bool send(std::string_view bytes);

  /// Reads one answer; what follows it is kept for the next call.
  http_reply read();

  /// Says that nothing more will be sent; answers can still be read.
  void end_sending();

  /// True when the other side closes the connection within the limit.
  bool closed_by_peer();

private:
  int fd_ = -1;
  std::chrono::milliseconds limit_;
  std::string left_;
};

/// The bytes of a request with Host and, for a body, Content-Length.
std::string request_text(std::string_view method, std::string_view target,
                         const header_list& headers, std::string_view body = {});

/// One request on a connection of its own.
http_reply http_send(std::uint16_t port, std::string_view method, std::string_view target,
                     const header_list& headers, std::string_view body = {},
                     std::chrono::milliseconds limit = std::chrono::seconds{30});

} // namespace rahat::test
