#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace rahat::cluster {

/// Runs functions one after the other, in the order in which they were added, on whoever adds
/// first; what is added meanwhile, from within or from other threads, is run before that one
/// returns. So a state machine changes its state under its own lock, and what it asks of others
/// happens in the same order and without that lock. Thread-safe.
class strand {
public:
  void add(std::function<void()> f) {
    std::unique_lock lock{mutex_};
    waiting_.push_back(std::move(f));
  }

  /// Runs what waits, unless somebody does so already.
  void run() {
    std::unique_lock lock{mutex_};
    if (std::exchange(running_, true))
      return;
    while (!waiting_.empty()) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
    running_ = false;
  }

private:
  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;
  bool running_ = false;
};

} // namespace rahat::cluster
