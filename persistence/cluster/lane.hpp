#pragma once

#include "persistence/cluster/line.hpp"
#include "runtime/decider/error.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <variant>

namespace rahat::pg {

/// A thread with a line of its own that answers one call after the other. When the line is lost,
/// what waits is refused with it: the answers would all come late. Thread-safe; callbacks must not
/// throw.
class lane {
public:
  /// `when_asked`: a call's time runs from when it was asked, so that its answer is never late;
  /// else from when its turn came.
  enum class time_runs { when_asked, when_begun };

  struct terms {
    std::string conninfo;
    generation expected;
    std::vector<line::statement> prepared;
    std::size_t waiting = 0; // beyond: errc::overloaded, from the caller's own thread
    time_runs counted = time_runs::when_asked;
  };

  template <class T>
  using callback = std::function<void(std::variant<T, error>)>;

  lane(terms t, const clock& time);
  ~lane();

  void start();

  /// The thread, for its owner, who may start it again after a death.
  part as_part(std::string name);

  /// Refuses what waits and what comes later; interrupts what is under way. Idempotent.
  void stop();

  /// `work` runs on the lane's thread and may throw what `line` throws.
  template <class T>
  void ask(std::chrono::milliseconds limit, callback<T> done,
           std::function<T(line&, line::deadline)> work) {
    push({limit, time_.steady(),
          [done, work](line& on, line::deadline until) {
            std::variant<T, error> answer = error{};
            const auto end = guarded([&] { answer.template emplace<T>(work(on, until)); });
            if (end.failed)
              answer = end.why;
            done(std::move(answer));
            return !end.lost;
          },
          [done](error why) { done(std::move(why)); }});
  }

private:
  struct call {
    std::chrono::milliseconds limit;
    std::chrono::steady_clock::time_point asked;
    std::function<bool(line&, line::deadline)> run; // false: the line was lost
    std::function<void(error)> refuse;
  };
  struct ending {
    bool failed = false;
    bool lost = false;
    error why;
  };

  static ending guarded(const std::function<void()>& work);
  void push(call c);
  void run();
  void serve(call& c);
  void refuse_waiting(const error& why);

  const terms terms_;
  const clock& time_;
  line line_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<call> waiting_;
  bool stopping_ = false;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat::pg
