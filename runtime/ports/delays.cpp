#include "runtime/ports/delays.hpp"

namespace rahat {

delays::delays(const clock& time) : time_(time) {
  thread_.start([this] { run(); });
}

delays::~delays() {
  stop();
}

void delays::stop() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

part delays::as_part() {
  const auto start = [this](death_notice died) {
    if (!thread_.running()) {
      {
        std::unique_lock lock{mutex_};
        stopping_ = false;
      }
      thread_.start([this] { run(); });
    }
    thread_.watch(std::move(died));
  };
  const auto health = [this] {
    std::unique_lock lock{mutex_};
    return std::to_string(waiting_.size()) + " waiting";
  };
  return {"delays", "worker", start, [this] { stop(); }, health};
}

void delays::after(std::chrono::milliseconds delay, std::function<void()> then) {
  {
    std::unique_lock lock{mutex_};
    if (stopping_)
      return;
    if (waiting_.size() >= max_waiting)
      delay = std::chrono::milliseconds{0};
    waiting_.emplace(time_.steady() + delay, std::move(then));
  }
  changed_.notify_one();
}

void delays::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto first = waiting_.begin();
    if (first->first > time_.steady()) {
      changed_.wait_until(lock, first->first);
      continue;
    }
    auto then = std::move(first->second);
    waiting_.erase(first);
    lock.unlock();
    then();
    then = nullptr;
    lock.lock();
  }
}

} // namespace rahat
