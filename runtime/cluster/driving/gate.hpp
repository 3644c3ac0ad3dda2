#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <thread>

namespace rahat::cluster {

/// Lets calls into an object until it is shut, and then waits for those that are inside: what it
/// guards may be destroyed afterwards, however late an answer comes. Shared with the callbacks that
/// are given away, so that it outlives the object. Thread-safe.
class gate {
public:
  /// Held for as long as a call lasts; false if the gate was shut before. May be nested.
  class pass {
  public:
    explicit pass(gate& g) : gate_(g), inside_(g.enter()) {}
    ~pass() {
      if (inside_)
        gate_.leave();
    }
    pass(const pass&) = delete;
    pass& operator=(const pass&) = delete;
    explicit operator bool() const { return inside_; }

  private:
    gate& gate_;
    const bool inside_;
  };

  /// Nobody enters any more; returns when no other thread is inside. May be called from inside, and
  /// again.
  void shut() {
    std::unique_lock lock{mutex_};
    shut_ = true;
    auto own = inside_.extract(std::this_thread::get_id());
    emptied_.wait(lock, [this] { return inside_.empty(); });
    if (own)
      inside_.insert(std::move(own));
  }

private:
  bool enter() {
    std::lock_guard lock{mutex_};
    if (!shut_)
      ++inside_[std::this_thread::get_id()];
    return !shut_;
  }

  void leave() {
    std::lock_guard lock{mutex_};
    const auto mine = inside_.find(std::this_thread::get_id());
    if (--mine->second > 0)
      return;
    inside_.erase(mine);
    emptied_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable emptied_;
  bool shut_ = false;
  std::map<std::thread::id, std::size_t> inside_; // how deep
};

} // namespace rahat::cluster
