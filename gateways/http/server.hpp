#pragma once

#include "gateways/http/probe.hpp"
#include "gateways/http/router.hpp"
#include "runtime/ports/part.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace rahat::http {

/// A connection that left HTTP behind: the socket and what was read from it so far. Whoever gets it
/// owns the descriptor; dropped, it closes.
class upgraded {
public:
  upgraded(int fd, std::string bytes, std::string target)
      : bytes_read(std::move(bytes)), path(std::move(target)), fd_(fd) {}
  upgraded(upgraded&& other) noexcept
      : bytes_read(std::move(other.bytes_read)),
        path(std::move(other.path)),
        fd_(std::exchange(other.fd_, -1)) {}
  upgraded& operator=(upgraded&&) = delete;
  ~upgraded();

  /// Hands the descriptor (non-blocking, TCP) to the caller.
  int release() { return std::exchange(fd_, -1); }

  std::string bytes_read; // from the first byte of the request line
  std::string path;

private:
  int fd_;
};

/// Bounds and deadlines of a listener. Each bound says what happens when it is met.
struct server_options {
  std::string address = "127.0.0.1"; // numeric IPv4 or IPv6 address
  std::uint16_t port = 0;            // 0: any free port
  unsigned io_threads = 1;

  std::size_t max_connections = 4096;       // beyond: 503 + Retry-After, then closed
  std::size_t max_header_bytes = 16384;     // request line and fields; beyond: 431
  std::size_t max_target_bytes = 4096;      // beyond: 414
  std::size_t max_body_bytes = 1 << 20;     // of a JSON route; beyond: 413
  std::uint64_t max_stream_bytes = 1 << 30; // of a streaming route; beyond: 413
  std::size_t max_in_flight_keys = 65536;   // running Idempotency-Keys; beyond: 503

  std::chrono::milliseconds header_timeout{10'000}; // first byte to complete header: 408
  std::chrono::milliseconds body_timeout{30'000};   // a JSON body, or 16 KiB of a stream: 408
  std::chrono::milliseconds reply_timeout{10'000};  // handler to answer, or to take a piece: 504
  std::chrono::milliseconds send_timeout{30'000};   // reply taken by the client: connection cut
  std::chrono::milliseconds idle_timeout{75'000};   // between requests: closed silently

  /// Seconds since 1970 for the Date header; empty: no Date header is sent.
  std::function<std::int64_t()> wall_clock_seconds;

  /// A WebSocket handshake on this path is handed over instead of being routed. Called on an io
  /// thread while the node is ready; it must be quick and must not throw.
  std::string upgrade_path;
  std::function<void(upgraded)> on_upgrade;
};

/// An HTTP/1.1 listener: accepts, parses, asks the router, calls handlers, writes replies. Each
/// connection lives on one io thread (its own io_context) and runs one request at a time;
/// pipelined requests wait in the socket.
///
/// Owner: the gateway actor of the listener. The probe outlives the server. Handlers run on io
/// threads and must not block; their responders may be called from any thread, even after the
/// server is gone.
///
/// An exception on an io thread ends the connection that it came from, and nothing else.
class server {
public:
  server(server_options options, router routes, authenticator who, probe& metrics);
  ~server(); // drains with a deadline of zero

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds, listens and starts the io threads; returns the bound port. Throws std::system_error
  /// when the address cannot be bound. Call once.
  std::uint16_t start();

  /// Stops accepting, closes idle connections, lets running requests finish with `Connection:
  /// close`, and cuts what is left after `deadline`. Blocks until the io threads have ended.
  /// Returns true when nothing had to be cut. Idempotent; not from an io thread.
  bool drain(std::chrono::milliseconds deadline);

  std::size_t connections() const;

  /// Who hears that it is broken (more exceptions on its io threads than fault_watch allows): it
  /// serves on until its owner drains it and starts another.
  void watch(death_notice died);
  bool broken() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat::http
