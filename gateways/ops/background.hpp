#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace rahat::ops {

/// One joined thread for work that may block: audits, tokens, the doctor. Bounded: beyond
/// `max_waiting` the oldest waiting job is dropped (its responder then answers 503).
class background {
public:
  static constexpr std::size_t max_waiting = 64;

  background();
  ~background();

  background(const background&) = delete;
  background& operator=(const background&) = delete;

  void run(std::function<void()> job);

private:
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace rahat::ops
