#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace rahat {

/// One joined thread that calls back for entities at the times they asked for. Coarse: up to
/// `grain` late. `wake` is called on that thread and must not block.
class ticker {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using wake_fn = std::function<void(const entity_ref&)>;

  static constexpr std::chrono::milliseconds grain{10};

  ticker(const clock& time, wake_fn wake);
  ~ticker();

  ticker(const ticker&) = delete;
  ticker& operator=(const ticker&) = delete;

  void wake_at(const entity_ref& entity, time_point when);
  void stop();

private:
  struct entry {
    time_point when;
    entity_ref entity;
    bool operator>(const entry& other) const { return when > other.when; }
  };

  void run();

  const clock& time_;
  wake_fn wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::priority_queue<entry, std::vector<entry>, std::greater<>> entries_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace rahat
