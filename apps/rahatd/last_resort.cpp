#include "apps/rahatd/last_resort.hpp"

#include "runtime/telemetry/log.hpp"

#include <unistd.h>
#include <future>
#include <memory>

namespace rahat {

namespace {

using namespace std::chrono_literals;

/// A full pipe behind the log must not hold up the end as well.
constexpr auto last_line_limit = 1s;

} // namespace

last_resort::last_resort(const clock& time, std::function<void()> end)
    : time_(time), end_(std::move(end)), thread_([this] { watch(); }) {}

last_resort::~last_resort() {
  {
    std::lock_guard lock{mutex_};
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void last_resort::arm(std::chrono::milliseconds limit) {
  const auto at = time_.steady() + limit;
  {
    std::lock_guard lock{mutex_};
    if (!deadline_ || at < *deadline_)
      deadline_ = at;
  }
  changed_.notify_all();
}

void last_resort::watch() {
  std::unique_lock lock{mutex_};
  while (!over_) {
    if (!deadline_) {
      changed_.wait(lock);
    } else if (time_.steady() < *deadline_) {
      changed_.wait_until(lock, time_point{*deadline_});
    } else {
      lock.unlock();
      return end_();
    }
  }
}

void end_at_once(int exit_code) {
  auto written = std::make_shared<std::promise<void>>();
  auto line = written->get_future();
  std::thread([written, exit_code] {
    log::error("node_stop_cut_short", {{"exit_code", exit_code}});
    written->set_value();
  }).detach();
  line.wait_for(last_line_limit);
  ::_exit(exit_code);
}

} // namespace rahat
