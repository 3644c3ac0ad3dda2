#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace rahat::cluster {

/// Runs functions one after the other, in the order in which they were added, on whoever adds
/// first; what is added meanwhile, from within or from other threads, is run before that one
/// returns. So a state machine changes its state under its own lock, and what it asks of others
/// happens in the same order and without that lock. What a function throws reaches whoever runs it;
/// the ones behind it wait for the next `run`. Thread-safe.
class strand {
public:
  void add(std::function<void()> f) {
    std::lock_guard lock{mutex_};
    if (!stopped_)
      waiting_.push_back(std::move(f));
  }

  /// Runs what waits, unless somebody does so already.
  void run() {
    {
      std::lock_guard lock{mutex_};
      if (std::exchange(running_, true))
        return;
    }
    try {
      while (auto next = take())
        next();
    } catch (...) {
      std::lock_guard lock{mutex_};
      running_ = false;
      throw;
    }
  }

  /// What waits is forgotten, and nothing is added any more. One that runs goes on.
  void stop() {
    std::deque<std::function<void()>> forgotten; // destroyed without the lock
    std::lock_guard lock{mutex_};
    stopped_ = true;
    forgotten.swap(waiting_);
  }

private:
  /// The next one; null: there is none, and nobody runs any more.
  std::function<void()> take() {
    std::lock_guard lock{mutex_};
    if (waiting_.empty()) {
      running_ = false;
      return nullptr;
    }
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;
  bool running_ = false;
  bool stopped_ = false;
};

} // namespace rahat::cluster
