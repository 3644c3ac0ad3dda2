#include "runtime/entity/ticker.hpp"

namespace rahat {

ticker::ticker(const clock& time, wake_fn wake)
  : time_(time), wake_(std::move(wake)), thread_([this] { run(); }) {}

ticker::~ticker() {
  stop();
}

void ticker::stop() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

void ticker::wake_at(const entity_ref& entity, time_point when) {
  std::unique_lock lock{mutex_};
  entries_.push({when, entity});
  if (entries_.top().when >= when)
    changed_.notify_one();
}

void ticker::run() {
  std::vector<entity_ref> due;
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    auto now = time_.steady();
    while (!entries_.empty() && entries_.top().when <= now) {
      due.push_back(entries_.top().entity);
      entries_.pop();
    }
    if (!due.empty()) {
      lock.unlock();
      for (auto& entity : due)
        wake_(entity);
      due.clear();
      lock.lock();
      continue;
    }
    if (entries_.empty())
      changed_.wait(lock);
    else
      changed_.wait_for(lock, std::max<std::chrono::steady_clock::duration>(
                                grain, entries_.top().when - now));
  }
}

} // namespace rahat
