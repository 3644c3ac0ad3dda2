#include "runtime/cluster/caf/scouts.hpp"

namespace rahat::cluster {

scouts::scouts(trial how, verdict told) : how_(std::move(how)), told_(std::move(told)) {}

scouts::~scouts() {
  stop();
}

bool scouts::ask(const std::string& host, std::uint16_t port) {
  {
    std::lock_guard lock{mutex_};
    if (stopping_ || known_.contains({host, port}))
      return true;
    if (waiting_.size() >= waiting)
      return false;
    known_.insert({host, port});
    waiting_.emplace_back(host, port);
  }
  changed_.notify_one();
  return true;
}

void scouts::start() {
  for (auto& t : threads_)
    t.start([this] { work(); });
}

void scouts::stop() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  for (auto& t : threads_)
    t.join();
}

std::vector<part> scouts::parts(const std::function<void()>& stop) {
  std::vector<part> out;
  for (std::size_t i = 0; i < threads; ++i) {
    const auto begin = [this, i](death_notice died) {
      threads_[i].start([this] { work(); });
      threads_[i].watch(std::move(died));
    };
    out.push_back({"dialler-" + std::to_string(i), "links", begin, stop, {}});
  }
  return out;
}

void scouts::work() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_)
      return;
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try_one(next);
    lock.lock();
  }
}

/// The address may be asked for again before its verdict is told: whoever hears it may do so.
void scouts::try_one(const address& at) {
  std::optional<std::string> why_not = "the try has failed";
  try {
    why_not = how_(at.first, at.second);
  } catch (const std::exception& e) {
    why_not = e.what();
  }
  {
    std::lock_guard lock{mutex_};
    known_.erase(at);
    if (stopping_)
      return;
  }
  told_(at.first, at.second, std::move(why_not));
}

} // namespace rahat::cluster
