#pragma once

#include <cstddef>
#include <string_view>

namespace rahat::cluster {

/// What the mesh counts; each method is an event. Thread-safe; must not block, since some are
/// called under the mesh's lock. The default counts nothing.
class mesh_probe {
public:
  virtual ~mesh_probe() = default;

  virtual void dial_started() {}
  virtual void dial_failed() {}
  virtual void link_came(std::size_t /*links now*/) {}

  /// Also of links that never came up. `why`: a link_end's name.
  virtual void link_ended(std::string_view /*why*/, bool /*was_up*/, std::size_t /*links now*/) {}

  /// A message without the link's secret was dropped.
  virtual void stranger_heard(std::size_t /*messages*/) {}

  /// A channel was closed at once: too many have not yet proven who they are.
  virtual void channel_refused() {}

  virtual void beat_answered(double /*seconds*/) {}
  virtual void frame_sent(std::size_t /*bytes*/) {}
  virtual void frame_received(std::size_t /*bytes*/) {}

  /// `send` has said false. `why`: no_link, no_room, too_large.
  virtual void frame_not_sent(std::string_view /*why*/) {}

  /// Who was told of a link or a frame, or a channel, has thrown; the mesh goes on.
  virtual void call_threw(std::string_view /*why*/) {}
};

} // namespace rahat::cluster
