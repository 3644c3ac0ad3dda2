#pragma once

#include <deque>
#include <functional>
#include <mutex>

namespace rahat::cluster {

/// Calls that have to go out in the order in which they were decided, and with no lock held. `push`
/// is called under the decider's lock, `run` without it: whoever comes first makes the calls, also
/// those that others push meanwhile. What a call throws reaches whoever runs it; the ones behind it
/// wait for the next `run`. Bounded by what the pushers keep to. Thread-safe; must be held by a
/// shared_ptr while it runs.
class in_order {
public:
  void push(std::function<void()> call) {
    std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(call));
  }

  void run() {
    std::unique_lock lock{mutex_};
    if (running_)
      return;
    running_ = true;
    while (!waiting_.empty()) {
      auto call = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      try {
        call();
      } catch (...) {
        call = nullptr;
        lock.lock();
        running_ = false;
        throw;
      }
      call = nullptr; // what it holds ends without the lock as well
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
