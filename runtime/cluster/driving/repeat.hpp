#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace rahat::cluster {

/// A call that is made again and again by whoever puts calls off.
struct repetition {
  std::function<void(std::chrono::milliseconds, std::function<void()>)> later;
  std::chrono::milliseconds every;
  std::function<bool()> goes_on; // false: this was the last time
  std::function<void()> what;
};

/// Makes the first call, and puts off the next one before it does: a call that throws ends the
/// thread that made it, which is started again, and not the repetition. What waits holds `r`.
inline void repeat(const std::shared_ptr<const repetition>& r) {
  if (!r->goes_on())
    return;
  r->later(r->every, [r] { repeat(r); });
  r->what();
}

} // namespace rahat::cluster
