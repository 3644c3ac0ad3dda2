#pragma once

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::test {

/// A running `transport_peer`. It dies with the object, and with the test. One thread.
class peer_process {
public:
  /// Starts it and waits until it listens. Throws std::runtime_error if it does not.
  explicit peer_process(const std::vector<std::string>& flags);
  ~peer_process();
  peer_process(const peer_process&) = delete;
  peer_process& operator=(const peer_process&) = delete;

  const std::string& node_id() const { return node_id_; } // as CAF writes it
  bool id_is_ours() const { return ours_; }
  bool is_guarded() const { return guarded_; }
  std::uint16_t port() const { return port_; }

  /// Sends a command and waits for its answer.
  std::string tell(const std::string& command);

  /// The two halves of `tell`, so that several peers can be at work at once.
  void send(const std::string& command);
  std::string answer();

  /// SIGKILL; waits until it is gone.
  void kill_hard();

private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string unread_;
  std::string node_id_;
  bool ours_ = false;
  bool guarded_ = false;
  std::uint16_t port_ = 0;
};

} // namespace rahat::test
