#include "runtime/ports/worker_thread.hpp"

#include <exception>
#include <utility>

namespace rahat {

worker_thread::~worker_thread() {
  join();
}

void worker_thread::start(std::function<void()> body) {
  std::lock_guard joining{joining_};
  if (running())
    return;
  if (thread_.joinable())
    thread_.join(); // it has died or ended
  {
    std::lock_guard lock{mutex_};
    running_ = true;
    untold_ = false;
    death_.reset();
  }
  try {
    thread_ = std::thread([this, body = std::move(body)] { run(body); });
  } catch (...) { // the system has no thread left
    std::lock_guard lock{mutex_};
    running_ = false;
    throw;
  }
}

void worker_thread::join() {
  std::lock_guard joining{joining_};
  if (thread_.joinable())
    thread_.join();
  std::lock_guard lock{mutex_};
  untold_ = false;
  died_ = nullptr;
}

void worker_thread::watch(death_notice died) {
  std::string reason;
  {
    std::lock_guard lock{mutex_};
    if (!untold_) {
      died_ = std::move(died);
      return;
    }
    untold_ = false;
    reason = *death_;
  }
  if (died)
    died(reason);
}

bool worker_thread::running() const {
  std::lock_guard lock{mutex_};
  return running_;
}

std::optional<std::string> worker_thread::death() const {
  std::lock_guard lock{mutex_};
  return death_;
}

void worker_thread::run(const std::function<void()>& body) {
  try {
    body();
    ended({});
  } catch (const std::exception& e) {
    ended(e.what());
  } catch (...) {
    ended("an exception without a text");
  }
}

void worker_thread::ended(std::optional<std::string> reason) {
  death_notice tell;
  {
    std::lock_guard lock{mutex_};
    running_ = false;
    death_ = reason;
    tell = std::exchange(died_, nullptr);
    untold_ = reason && !tell;
  }
  if (reason && tell)
    tell(*reason);
}

} // namespace rahat
