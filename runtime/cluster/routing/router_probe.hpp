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

  /// A live event was sent to one peer that follows it, or came from one.
  virtual void live_event_sent() {}
  virtual void live_event_heard() {}

  /// It found no room; the peer is told, and reads the journal.
  virtual void live_event_dropped() {}

  /// Events of some shards may have been missed here; their topics are looked up in the journal.
  virtual void live_gap(std::string_view /*why*/, std::size_t /*shards*/) {}
};

} // namespace rahat::cluster
