#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rahat::test {

/// A WebSocket to 127.0.0.1. Every wait ends after its limit. One thread.
class ws_client {
public:
  struct handshake {
    std::string path = "/v2/live";
    std::string authorization; // the header's value, "" sends none
    std::string protocols;     // of Sec-WebSocket-Protocol, "" sends none
  };

  /// Never throws: see accepted().
  ws_client(std::uint16_t port, const handshake& how);
  ~ws_client();

  bool accepted() const;
  unsigned status() const;      // of the handshake's answer; 0: none came
  std::string protocol() const; // that the server agreed to

  bool send(std::string_view text);
  bool send_binary(std::string_view bytes);
  /// Bytes on the connection that need not be a frame.
  bool send_raw(std::string_view bytes);

  /// The next message; nothing when none came in time or the connection has ended.
  std::optional<std::string> next(std::chrono::milliseconds limit);

  /// True once reading has failed; then the close code, if the server gave one.
  bool ended() const;
  unsigned close_code() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat::test
