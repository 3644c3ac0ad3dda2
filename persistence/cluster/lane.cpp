#include "persistence/cluster/lane.hpp"

#include <utility>

namespace rahat::pg {

namespace {

/// Conditions of the server and not of what was asked: it may be asked again.
bool passes(std::string_view state) {
  for (const std::string_view prefix : {"40", "53", "55", "57", "58"})
    if (state.starts_with(prefix))
      return true;
  return false;
}

error stopped() {
  return {errc::unavailable, "the node is stopping", {}};
}

} // namespace

lane::lane(terms t, const clock& time)
    : terms_(std::move(t)),
      time_(time),
      line_(terms_.conninfo, terms_.expected, terms_.prepared, time) {}

lane::~lane() {
  stop();
}

void lane::start() {
  thread_.start([this] { run(); });
}

part lane::as_part(std::string name) {
  const auto begin = [this](death_notice died) {
    start();
    thread_.watch(std::move(died));
  };
  const auto health = [this] {
    std::lock_guard guard{mutex_};
    return std::to_string(waiting_.size()) + " waiting";
  };
  return {std::move(name), "membership", begin, [this] { stop(); }, health};
}

void lane::stop() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  line_.cut_off();
  thread_.join();
  refuse_waiting(stopped());
}

lane::ending lane::guarded(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const line_lost& lost) {
    return {true, true, {errc::unavailable, lost.what(), {}}};
  } catch (const line_refused& refused) {
    const auto code = passes(refused.sqlstate())      ? errc::unavailable
                      : refused.sqlstate() == "RH013" ? errc::invalid_input
                                                      : errc::internal;
    return {true, false, {code, refused.what(), {}}};
  } catch (const std::exception& other) {
    return {true, false, {errc::internal, other.what(), {}}};
  }
}

void lane::push(call c) {
  error refusal = stopped();
  {
    std::lock_guard guard{mutex_};
    if (!stopping_ && waiting_.size() < terms_.waiting) {
      waiting_.push_back(std::move(c));
      changed_.notify_one();
      return;
    }
    if (!stopping_)
      refusal = {errc::overloaded,
                 std::to_string(terms_.waiting) + " calls wait for the database already",
                 {}};
  }
  c.refuse(refusal);
}

void lane::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_)
      return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    serve(next);
    lock.lock();
  }
}

void lane::serve(call& c) {
  const auto begin = terms_.counted == time_runs::when_asked ? c.asked : time_.steady();
  const auto until = begin + c.limit;
  if (time_.steady() >= until)
    return c.refuse({errc::unavailable, "the database did not answer in time", {}});
  if (!c.run(line_, until))
    refuse_waiting({errc::unavailable, "the connection to the database was lost", {}});
}

void lane::refuse_waiting(const error& why) {
  std::deque<call> refused;
  {
    std::lock_guard guard{mutex_};
    refused.swap(waiting_);
  }
  for (auto& c : refused)
    c.refuse(why);
}

} // namespace rahat::pg
