#pragma once

#include "runtime/cluster/transport/channels.hpp"
#include "runtime/ports/part.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace caf {
class actor_system;
class actor_system_config;
} // namespace caf

namespace rahat::cluster {

struct caf_channels_options {
  std::string host = "127.0.0.1"; // where to listen
  std::uint16_t port = 0;         // 0: the system chooses
  bool insecure = false;          // plain TCP; else the files below
  std::string certificate, key, authority;

  // CAF's own watch over silent connections; each alone detects nothing.
  std::chrono::milliseconds heartbeat{500};
  std::chrono::milliseconds connection_timeout{2'000};
  std::chrono::milliseconds preflight{1'000};
  std::chrono::milliseconds dial{3'000}; // beyond the pre-flight
};

/// Loads CAF's middleman and its TLS into a configuration whose system is not made yet.
void use_channels(caf::actor_system_config& config, const caf_channels_options& how);

struct door_book;

/// Channels over CAF's middleman: one published actor a node, the *door*; a channel is a number
/// that two doors have agreed on. Dials are tried on joined threads first (scouts), because CAF's
/// would block. The actor system has been made with `use_channels` and outlives this.
class caf_channels final : public channels {
public:
  caf_channels(caf::actor_system& system, caf_channels_options how);
  ~caf_channels() override;

  std::uint16_t start(listener& to) override;
  void dial(const std::string& host, std::uint16_t port) override;
  bool send(id channel, std::string bytes) override;
  void close(id channel) override;
  void stop() override;
  std::string local_id() const override;

  /// The threads that try dials, for their owners, who may start them again after a death.
  std::vector<part> threads();

private:
  std::shared_ptr<door_book> book_; // shared with the door
};

} // namespace rahat::cluster
