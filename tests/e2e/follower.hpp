#pragma once

#include "tests/e2e/office.hpp"
#include "tests/support/ws_client.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rahat::test {

struct live_frame {
  std::string topic, token, type;
  json::value data;
  std::chrono::steady_clock::time_point came;

  /// An event of its topic, and no progress or answer.
  bool is_change() const { return !token.empty(); }
};

/// A client of live events that keeps every frame and, as the API asks of it, the last token of
/// each topic. One thread.
class follower {
public:
  follower(const node_process& node, const std::string& token);

  bool accepted() const { return socket_.accepted(); }
  std::string protocol() const { return socket_.protocol(); }
  bool ended() const { return socket_.ended(); }

  /// Throws when the connection has ended.
  void subscribe(const std::vector<std::string>& topics, const json::object& after = {});

  /// Reads until a frame fits; false when none came in time.
  bool read_until(const std::function<bool(const live_frame&)>& fits,
                  std::chrono::milliseconds limit = patience);

  /// Takes what has come already.
  void drain(std::chrono::milliseconds quiet);

  /// Of an entity, what its own topic has told, and what the feed has.
  std::vector<std::int64_t> versions(const std::string& entity) const;
  std::vector<std::int64_t> versions_in_feed(const std::string& entity) const;

  std::vector<live_frame> frames;
  json::object tokens;

private:
  bool read_one(std::chrono::milliseconds limit);

  ws_client socket_;
};

} // namespace rahat::test
