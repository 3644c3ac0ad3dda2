#pragma once

#include "runtime/ports/clock.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace rahat {

/// Ends the process when its orderly end does not come: a thread that hangs must not keep a node
/// alive that was declared dead, nor a service manager waiting. Made before the node and destroyed
/// after it. Thread-safe.
class last_resort {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `end`: called once at the deadline, on a thread of this; in production it does not return.
  last_resort(const clock& time, std::function<void()> end);

  /// The process has come to its end in order.
  ~last_resort();

  last_resort(const last_resort&) = delete;
  last_resort& operator=(const last_resort&) = delete;

  /// The end is decided and may take so long. Of several the earliest one stays.
  void arm(std::chrono::milliseconds limit);

private:
  void watch();

  const clock& time_;
  const std::function<void()> end_;
  std::mutex mutex_; // guards the next three
  std::condition_variable changed_;
  std::optional<time_point> deadline_;
  bool over_ = false;
  std::thread thread_; // last: it uses the rest
};

/// Says so in the log, if that takes the line within a second, and leaves without destructors. What
/// was acknowledged is durable.
[[noreturn]] void end_at_once(int exit_code);

} // namespace rahat
