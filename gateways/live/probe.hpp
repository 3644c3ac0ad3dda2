#pragma once

#include <cstddef>

namespace rahat::live {

/// What the WebSocket edge lets be measured: methods named after events. Called from the gateway's
/// thread and from those of hosts; implementations must be thread-safe and quick. The defaults
/// count nothing.
class live_probe {
public:
  virtual ~live_probe() = default;

  /// A client has passed the handshake, and has gone.
  virtual void connected() {}
  virtual void disconnected() {}
  /// A frame was queued for a client; frames left its queue: sent, or dropped with it.
  virtual void queued() {}
  virtual void unqueued(std::size_t frames) { (void)frames; }
  /// A client came back to a topic with a token.
  virtual void resumed() {}
  /// A client's queue was full: it is closed and told where to resume.
  virtual void slow_consumer() {}
};

} // namespace rahat::live
