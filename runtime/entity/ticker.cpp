#include "runtime/entity/ticker.hpp"

namespace rahat {

ticker::ticker(const clock& time, wake_fn wake, drive mode) : time_(time), wake_(std::move(wake)) {
  if (mode == drive::threaded)
    thread_.start([this] { run(); });
}

ticker::~ticker() {
  stop();
}

void ticker::stop() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

part ticker::as_part() {
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
    return std::to_string(entries_.size()) + " wake-ups waiting";
  };
  return {"ticker", "ticker", start, [this] { stop(); }, health};
}

void ticker::wake_at(const entity_ref& entity, time_point when) {
  std::unique_lock lock{mutex_};
  entries_.push({when, entity});
  if (entries_.top().when >= when)
    changed_.notify_one();
}

std::size_t ticker::fire_due() {
  std::vector<entity_ref> due;
  {
    std::unique_lock lock{mutex_};
    auto now = time_.steady();
    while (!stopping_ && !entries_.empty() && entries_.top().when <= now) {
      due.push_back(entries_.top().entity);
      entries_.pop();
    }
  }
  for (auto& entity : due)
    wake_(entity);
  return due.size();
}

std::optional<ticker::time_point> ticker::next() const {
  std::unique_lock lock{mutex_};
  if (entries_.empty())
    return std::nullopt;
  return entries_.top().when;
}

void ticker::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    fire_due();
    lock.lock();
    if (stopping_)
      return;
    if (entries_.empty())
      changed_.wait(lock);
    else
      changed_.wait_for(lock, std::max<std::chrono::steady_clock::duration>(
                                  grain, entries_.top().when - time_.steady()));
  }
}

} // namespace rahat
