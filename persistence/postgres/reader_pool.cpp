#include "persistence/postgres/reader_pool.hpp"

#include "persistence/postgres/failure.hpp"
#include "persistence/postgres/reads.hpp"
#include "persistence/postgres/session.hpp"
#include "runtime/telemetry/log.hpp"

#include <algorithm>
#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_pause{500};

error stopped() {
  return {errc::unavailable, "the store is stopping: try again", {}};
}

} // namespace

reader_pool::job::~job() {
  fail({errc::unavailable, "the read was cut short: try again", {}});
}

void reader_pool::job::fail(error why) {
  if (const auto tell = std::exchange(failed, nullptr))
    tell(std::move(why));
}

reader_pool::reader_pool(const store_options& how) : how_(how) {}

reader_pool::~reader_pool() {
  stop();
}

void reader_pool::start() {
  while (threads_.size() < std::max(1u, how_.readers))
    threads_.push_back(std::make_unique<worker_thread>());
  for (unsigned i = 0; i < threads_.size(); ++i)
    threads_[i]->start([this, i] { run(i); });
}

std::vector<part> reader_pool::parts() {
  std::vector<part> out;
  for (unsigned i = 0; i < threads_.size(); ++i) {
    auto* thread = threads_[i].get();
    const auto start = [this, thread, i](death_notice died) {
      if (!thread->running()) {
        {
          std::lock_guard lock{mutex_};
          stopping_ = false;
        }
        thread->start([this, i] { run(i); });
      }
      thread->watch(std::move(died));
    };
    // They share a queue, so they end together.
    out.push_back({"reader-" + std::to_string(i), "reader", start, [this] { stop(); }, {}});
  }
  return out;
}

void reader_pool::stop() {
  std::deque<job> left;
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
    left.swap(waiting_);
  }
  mail_.notify_all();
  for (auto& j : left)
    j.fail(stopped());
  for (auto& t : threads_)
    t->join();
}

void reader_pool::submit(read work, give_up failed) {
  error why = stopped();
  {
    std::lock_guard lock{mutex_};
    if (!stopping_ && waiting_.size() < limits::waiting_reads) {
      waiting_.emplace_back(std::move(work), std::move(failed));
      how_.probe->reader_queue(waiting_.size());
      mail_.notify_one();
      return;
    }
    if (!stopping_)
      why = {errc::overloaded, "too many reads are waiting: try again in a moment", {}};
  }
  if (why.code == errc::overloaded)
    how_.probe->read_overloaded();
  failed(why);
}

void reader_pool::run(unsigned index) {
  std::shared_ptr<pqxx::connection_base> connection;
  while (auto next = next_job())
    serve(*next, connection, index);
}

/// Waits for one; nothing: the pool is stopping.
std::optional<reader_pool::job> reader_pool::next_job() {
  std::unique_lock lock{mutex_};
  mail_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  if (waiting_.empty())
    return std::nullopt;
  std::optional<job> next{std::move(waiting_.front())};
  waiting_.pop_front();
  how_.probe->reader_queue(waiting_.size());
  return next;
}

void reader_pool::serve(job& j, std::shared_ptr<pqxx::connection_base>& connection,
                        unsigned index) {
  const auto began = how_.time->steady();
  const auto until = began + how_.read_patience;
  for (unsigned tries = 0;; ++tries) {
    std::function<void()> finish;
    failure why;
    try {
      if (connection == nullptr || !connection->is_open()) {
        connection.reset();
        connection = open_session(how_, "reader-" + std::to_string(index));
        prepare_reads(*connection);
        how_.probe->connected(false);
      }
      finish = j.work(*connection);
    } catch (const other_generation& e) {
      connection.reset();
      how_.probe->read_failed();
      j.fail({errc::not_ready, e.what(), {}});
      return;
    } catch (const unsafe_server& e) { // until somebody has changed its settings
      connection.reset();
      how_.probe->read_failed();
      j.fail({errc::not_ready, e.what(), {}});
      return;
    } catch (const std::exception& e) {
      why = failure_of(e, connection != nullptr && connection->is_open());
    }
    if (finish) {
      how_.probe->read_finished(std::chrono::duration<double>(how_.time->steady() - began).count());
      j.failed = nullptr; // `finish` answers
      finish();
      return;
    }
    if (why.what == failure_class::in_doubt)
      connection.reset();
    const bool may_pass = why.what == failure_class::in_doubt || why.what == failure_class::again;
    if (may_pass && pause(tries, until))
      continue;
    how_.probe->read_failed();
    log::warning("read_failed", {{"error", why.message}});
    j.fail(may_pass ? error{errc::unavailable, "the database does not answer: try again", {}}
                    : error{errc::internal, "a read failed: " + why.message, {}});
    return;
  }
}

/// Waits before another try; false at the end of patience.
bool reader_pool::pause(unsigned tries, std::chrono::steady_clock::time_point until) {
  const auto most = std::min(longest_pause, first_pause * (1u << std::min(tries, 6u)));
  const auto wait = most / 2 + std::chrono::milliseconds{how_.chance->number() %
                                                         static_cast<unsigned>(most.count())};
  std::unique_lock lock{mutex_};
  mail_.wait_for(lock, wait, [this] { return stopping_; });
  return !stopping_ && how_.time->steady() < until;
}

} // namespace rahat::pg
