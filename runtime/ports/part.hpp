#pragma once

#include <functional>
#include <string>

namespace rahat {

/// How the owner of a part hears that it has died, with the reason. Any thread; must not block.
using death_notice = std::function<void(const std::string& reason)>;

/// Something in the node that runs by itself, mostly a thread, as its supervisor sees it. What it
/// is a part of outlives it.
struct part {
  std::string name; // "writer-0"
  std::string kind; // "writer"

  /// Lets it run if it does not, and tells of its death from now on (at once if it has died
  /// between). Must not wait for the outside world. Throws when it cannot.
  std::function<void(death_notice died)> start;

  /// Ends it and waits for that; not called after a death. It may be started again. Idempotent.
  std::function<void()> stop;

  /// How it fares, in a few words for operators; cheap, any thread. May be empty.
  std::function<std::string()> health;
};

} // namespace rahat
