#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace rahat::cluster {

/// Bytes between processes, nothing more: CAF's middleman over TLS (caf_channels), or a test's
/// hand. Order is kept within a channel; ids are never used twice in a process. Thread-safe,
/// nothing blocks; callbacks come from any thread, one at a time for one channel, and not after
/// `stop`.
class channels {
public:
  using id = std::uint64_t;

  /// Bytes of one message. BASP's limit is 256 KiB: a larger one would hold up heartbeats.
  static constexpr std::size_t max_message_bytes = 200 * 1024;

  class listener {
  public:
    virtual ~listener() = default;

    /// A way to another process; nobody has proven anything yet. `remote_id` is what the other
    /// process's `local_id` says. `dialled`: by this side.
    virtual void opened(id channel, const std::string& remote_id, bool dialled) = 0;
    virtual void received(id channel, std::string bytes) = 0;
    virtual void closed(id channel, const std::string& why) = 0;
    virtual void dial_failed(const std::string& host, std::uint16_t port,
                             const std::string& why) = 0;
  };

  virtual ~channels() = default;

  /// Begins to listen; the port that it listens on. Throws with a sentence for the operator.
  virtual std::uint16_t start(listener& to) = 0;

  /// One attempt, with a bound of its own; ends as `opened` or `dial_failed`.
  virtual void dial(const std::string& host, std::uint16_t port) = 0;

  /// False: there is no such channel any more.
  virtual bool send(id channel, std::string bytes) = 0;
  virtual void close(id channel) = 0;
  virtual void stop() = 0;

  /// Names this process on the wire (CAF's node id); part of what is signed.
  virtual std::string local_id() const = 0;
};

} // namespace rahat::cluster
