#pragma once

#include "runtime/ports/clock.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

namespace rahat {

/// Calls functions later, on one joined thread; they must not block. For waits at the edge that are
/// not worth a timer row: after a crash nobody waits for them any more. Thread-safe.
class delays {
public:
  /// Beyond this many waiting, the call comes at once.
  static constexpr std::size_t max_waiting = 100'000;

  explicit delays(const clock& time);
  ~delays(); // what has not been called is dropped

  delays(const delays&) = delete;
  delays& operator=(const delays&) = delete;

  void after(std::chrono::milliseconds delay, std::function<void()> then);
  void stop();

  /// The thread, for its owner, who may start it again after a death.
  part as_part();

private:
  void run();

  const clock& time_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> waiting_;
  bool stopping_ = false;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat
