#include "gateways/ops/background.hpp"

namespace rahat::ops {

background::background(std::string name) : name_(std::move(name)) {
  thread_.start([this] { loop(); });
}

part background::as_part() {
  const auto start = [this](death_notice died) {
    if (!thread_.running()) {
      {
        std::unique_lock lock{mutex_};
        stopping_ = false;
      }
      thread_.start([this] { loop(); });
    }
    thread_.watch(std::move(died));
  };
  const auto health = [this] {
    std::unique_lock lock{mutex_};
    return std::to_string(jobs_.size()) + " jobs waiting";
  };
  return {name_, "worker", start, [this] { stop(); }, health};
}

background::~background() {
  stop();
}

void background::stop() {
  std::deque<std::function<void()>> dropped; // what they hold goes outside of the lock
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    dropped.swap(jobs_);
  }
  changed_.notify_all();
  thread_.join();
}

void background::run(std::function<void()> job) {
  std::function<void()> dropped;
  {
    std::unique_lock lock{mutex_};
    if (stopping_)
      return;
    if (jobs_.size() >= max_waiting) {
      dropped = std::move(jobs_.front());
      jobs_.pop_front();
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void background::loop() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_)
      return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr; // what it holds must not outlive its turn
    lock.lock();
  }
}

} // namespace rahat::ops
