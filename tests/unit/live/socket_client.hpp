#pragma once

#include "tests/unit/http/client.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace rahat::live::test {

struct frame {
  unsigned opcode = 0; // 1 text, 8 close, 9 ping; 0: the connection has ended
  std::string payload;
};

/// Just enough of RFC 6455 to be a client, rude ones included.
class socket_client : public http::test::client {
public:
  using client::client;

  http::test::reply shake(std::string_view extra) {
    send(
        "GET /v2/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        std::string(extra) + "\r\n");
    return read();
  }

  void say(std::string_view payload, unsigned opcode = 1) {
    std::string out(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
      out += static_cast<char>(0x80 | payload.size());
    } else {
      out += static_cast<char>(0x80 | 126);
      out += static_cast<char>(payload.size() >> 8);
      out += static_cast<char>(payload.size() & 255);
    }
    out += std::string(4, '\0'); // a mask of zeros leaves the payload as it is
    send(out + std::string(payload));
  }

  frame next() {
    auto head = take(2);
    if (head.size() < 2)
      return {};
    std::size_t length = head[1] & 127;
    if (length >= 126) {
      std::size_t bytes = length == 126 ? 2 : 8;
      length = 0;
      for (unsigned char byte : take(bytes))
        length = length << 8 | byte;
    }
    return {static_cast<unsigned>(head[0] & 15), length == 0 ? "" : take(length)};
  }

  /// The next text frame; empty when the connection ends.
  std::string text() {
    for (;;) {
      auto f = next();
      if (f.opcode == 0 || f.opcode == 8)
        return {};
      if (f.opcode == 1)
        return f.payload;
    }
  }

  frame close_frame() {
    for (;;) {
      auto f = next();
      if (f.opcode == 0 || f.opcode == 8)
        return f;
    }
  }
};

/// Why a close frame says that it closes.
inline unsigned code_of(const frame& f) {
  return f.payload.size() < 2
             ? 0
             : static_cast<unsigned>(static_cast<unsigned char>(f.payload[0]) * 256 +
                                     static_cast<unsigned char>(f.payload[1]));
}

} // namespace rahat::live::test
