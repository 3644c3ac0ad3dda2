#pragma once

#include "gateways/http/router.hpp"
#include "gateways/http/server.hpp"
#include "gateways/live/hub.hpp"
#include "gateways/live/probe.hpp"
#include "runtime/ports/part.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace rahat::live {

struct live_options {
  std::size_t max_connections = 1024;             // beyond: 503 instead of the handshake
  std::size_t max_topics = 100;                   // of one connection; beyond: an error frame
  std::size_t max_queued_events = 1000;           // beyond: closed with 1013 and a resume token
  std::size_t max_message_bytes = 16384;          // from a client; beyond: closed with 1009
  std::chrono::milliseconds idle_timeout{30'000}; // no pong for that long: cut; pings at half of it
  std::chrono::milliseconds close_timeout{2'000}; // a slow client to take the close frame
  /// RFC 3339 text of now, for the frames that the gateway itself makes.
  std::function<std::string()> now;
  live_probe* probe = nullptr; // outlives the gateway; none: nothing is counted
};

/// The WebSocket edge: takes over connections from the HTTP server (server_options::on_upgrade),
/// checks the token (Authorization, or the subprotocols `rahat.v2` and `bearer.<token>`), and feeds
/// each client from the hub. One io thread of its own.
///
/// A client sends {"subscribe":["project/<id>","feed"],"after":{"feed":"<token>"}} and gets one
/// frame of type "subscribed" or "error" a topic (replayed events may stand before it), and events.
///
/// Owner: the gateway actor of the listener. The hub outlives it.
class live_gateway {
public:
  live_gateway(live_options options, http::authenticator who, hub& events);
  ~live_gateway(); // drains with a deadline of zero

  live_gateway(const live_gateway&) = delete;
  live_gateway& operator=(const live_gateway&) = delete;

  void start();

  /// Takes over a connection. Any thread; before `start` or after `drain` it is closed.
  void take(http::upgraded connection);

  /// Closes all connections with 1001 and cuts what is left after `deadline`. Blocks. Idempotent.
  void drain(std::chrono::milliseconds deadline);

  std::size_t connections() const;

  /// Its thread has neither ended nor died.
  bool running() const;

  /// Who hears when its thread dies: it is no use any more then, and is to be drained.
  void watch(death_notice died);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat::live
