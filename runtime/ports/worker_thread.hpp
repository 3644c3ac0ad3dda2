#pragma once

#include "runtime/ports/part.hpp"

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace rahat {

/// A joined thread that tells its owner when it dies of an exception, instead of taking the process
/// along. Thread-safe; `join` and `start` are not called by the thread itself.
class worker_thread {
public:
  worker_thread() = default;
  ~worker_thread(); // joins

  worker_thread(const worker_thread&) = delete;
  worker_thread& operator=(const worker_thread&) = delete;

  /// Runs `body` on a thread. Does nothing while a former one runs.
  void start(std::function<void()> body);

  /// Waits for the end; nobody is told of a death afterwards. The owner makes `body` return.
  void join();

  /// Who hears of a death: once, and at once if it has happened.
  void watch(death_notice died);

  /// True from `start` to the end or death of `body`.
  bool running() const;

  /// Why the last one died; nothing if it did not.
  std::optional<std::string> death() const;

private:
  void run(const std::function<void()>& body);
  void ended(std::optional<std::string> reason);

  mutable std::mutex mutex_; // guards the next four
  bool running_ = false;
  bool untold_ = false; // a death that nobody has heard of
  std::optional<std::string> death_;
  death_notice died_;

  std::mutex joining_; // guards the next one
  std::thread thread_;
};

} // namespace rahat
