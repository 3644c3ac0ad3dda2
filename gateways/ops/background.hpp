#pragma once

#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace rahat::ops {

/// One joined thread for work that may block: audits, tokens, the doctor. Bounded: beyond
/// `max_waiting` the oldest waiting job is dropped (its responder then answers 503).
class background {
public:
  static constexpr std::size_t max_waiting = 64;

  background();
  ~background();

  background(const background&) = delete;
  background& operator=(const background&) = delete;

  void run(std::function<void()> job);

  /// Drops what waits and joins; what comes later is dropped.
  void stop();

  /// The thread, for its owner, who may start it again after a death.
  part as_part();

private:
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat::ops
