#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/wire/cluster.pb.h"

#include <cstddef>
#include <vector>

namespace rahat {

/// The links of this node to its peers. Production binds CAF's middleman over mutual TLS
/// (runtime/cluster/transport), the simulator a network of its own. At most once, in order while
/// a link is up, but for frames with a call number, which may pass a larger one. Nothing is kept
/// over a link's end. Thread-safe; nothing here blocks.
class transport {
public:
  /// Bytes of one frame on the wire. Beyond: the frame is not sent.
  static constexpr std::size_t max_frame_bytes = 4 * 1024 * 1024;

  /// What a link tells; called from any thread, one call at a time for one peer, must not block.
  class listener {
  public:
    virtual ~listener() = default;
    virtual void link_up(const uuid& peer) = 0;
    /// Frames on their way have been lost, or will never be answered.
    virtual void link_down(const uuid& peer) = 0;
    virtual void received(const uuid& peer, wire::Frame frame) = 0;
  };

  virtual ~transport() = default;

  /// Set once, before the first link.
  virtual void listen(listener* who) = 0;

  /// False: there is no link to the peer now, or no room in it, or the frame is too large.
  virtual bool send(const uuid& peer, const wire::Frame& frame) = 0;

  /// The peers that are linked now.
  virtual std::vector<uuid> linked() const = 0;
};

} // namespace rahat
