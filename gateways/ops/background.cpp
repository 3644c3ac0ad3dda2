#include "gateways/ops/background.hpp"

namespace rahat::ops {

background::background() : thread_([this] { loop(); }) {}

background::~background() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    jobs_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void background::run(std::function<void()> job) {
  std::function<void()> dropped;
  {
    std::unique_lock lock{mutex_};
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
