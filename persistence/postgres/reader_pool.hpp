#pragma once

#include "persistence/postgres/options.hpp"
#include "runtime/decider/error.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pqxx {
class connection_base;
}

namespace rahat::pg {

/// Threads with a connection each that run reads. A read that loses its connection is run again
/// until `read_patience` has passed. Bounded: beyond `limits::waiting_reads` a read is refused.
class reader_pool {
public:
  /// Reads and returns what to do with the result: the pool calls it once, outside of its own
  /// error handling. May be called again after a lost connection, so it changes nothing.
  using read = std::function<std::function<void()>(pqxx::connection_base&)>;
  using give_up = std::function<void(error)>;

  explicit reader_pool(const store_options& how);
  ~reader_pool(); // stops

  reader_pool(const reader_pool&) = delete;
  reader_pool& operator=(const reader_pool&) = delete;

  void start();

  /// The threads, for their owners, who may start one again after a death.
  std::vector<part> parts();

  /// Fails what waits as unavailable and joins.
  void stop();

  /// `failed` is called at once (from this thread) at the bound and after `stop`.
  void submit(read work, give_up failed);

private:
  /// Its caller hears once, whatever becomes of the thread that holds it.
  struct job {
    job(read w, give_up f) : work(std::move(w)), failed(std::move(f)) {}
    job(job&& other) noexcept
        : work(std::move(other.work)), failed(std::exchange(other.failed, nullptr)) {}
    job& operator=(job&&) = delete;
    ~job();

    void fail(error why);

    read work;
    give_up failed; // empty: it has been answered
  };

  void run(unsigned index);
  std::optional<job> next_job();
  void serve(job& j, std::shared_ptr<pqxx::connection_base>& connection, unsigned index);
  bool pause(unsigned tries, std::chrono::steady_clock::time_point until);

  const store_options& how_;
  std::mutex mutex_;
  std::condition_variable mail_;
  std::deque<job> waiting_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<worker_thread>> threads_; // last: they use the rest
};

} // namespace rahat::pg
