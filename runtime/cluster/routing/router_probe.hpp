#pragma once

#include <cstddef>
#include <string_view>

namespace rahat::cluster {

/// What the router counts; each method is an event. Thread-safe. The default counts nothing.
class router_probe {
public:
  virtual ~router_probe() = default;

  /// A call to a peer was answered, or given up.
  virtual void hop_finished(std::string_view /*what*/, std::string_view /*outcome*/,
                            double /*seconds*/) {}

  /// A call waits for its shard to have an owner that can be reached.
  virtual void call_waits(std::size_t /*now_waiting*/) {}

  /// A call goes on its way once more, with the same id.
  virtual void call_again(std::string_view /*why*/) {}

  /// A message of an outbox or an acknowledgement could not be handed on; its source sends again.
  virtual void message_lost(std::string_view /*why*/) {}
};

} // namespace rahat::cluster
