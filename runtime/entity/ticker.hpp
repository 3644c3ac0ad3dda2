#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <queue>
#include <vector>

namespace rahat {

/// Calls back for entities at the times they asked for. Coarse: up to `grain` late. `threaded`: on
/// one joined thread, `wake` must not block; `manual`: whenever the owner calls `fire_due`, so that
/// tests and the simulator are the only ones who move time.
class ticker {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using wake_fn = std::function<void(const entity_ref&)>;

  static constexpr std::chrono::milliseconds grain{10};

  enum class drive { threaded, manual };

  ticker(const clock& time, wake_fn wake, drive mode = drive::threaded);
  ~ticker();

  ticker(const ticker&) = delete;
  ticker& operator=(const ticker&) = delete;

  void wake_at(const entity_ref& entity, time_point when);
  void stop();

  /// The thread of a threaded one, for its owner, who may start it again after a death.
  part as_part();

  /// Wakes whoever is due; returns how many.
  std::size_t fire_due();

  /// When the next one is due.
  std::optional<time_point> next() const;

private:
  struct entry {
    time_point when;
    entity_ref entity;
    bool operator>(const entry& other) const { return when > other.when; }
  };

  void run();

  const clock& time_;
  wake_fn wake_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::priority_queue<entry, std::vector<entry>, std::greater<>> entries_;
  bool stopping_ = false;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat
