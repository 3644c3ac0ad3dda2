#pragma once

#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

namespace rahat::ops {

/// One joined thread for work that may block. Jobs wait for one another, so what must not wait for
/// an audit has an instance of its own. Bounded: beyond `max_waiting` the oldest waiting job is
/// dropped (a responder in it then answers 503); work that must not be dropped goes to an instance
/// whose jobs all do the same, where the newest stands for the others.
class background {
public:
  static constexpr std::size_t max_waiting = 64;

  /// `name` is its place in the supervision tree, e.g. "audits".
  explicit background(std::string name = "background");
  ~background();

  background(const background&) = delete;
  background& operator=(const background&) = delete;

  void run(std::function<void()> job);

  /// Drops what waits and joins; what comes later is dropped.
  void stop();

  /// The thread, for its owner, who may start it again after a death.
  part as_part();

private:
  void loop();

  const std::string name_;
  std::mutex mutex_; // guards the next three
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat::ops
