#include "gateways/http/faults.hpp"

#include "runtime/telemetry/log.hpp"

namespace rahat::http {

namespace {

std::string text_of(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "no std::exception";
  }
}

} // namespace

void fault_watch::happened(std::string_view where, const std::exception_ptr& what,
                           std::chrono::steady_clock::time_point now) noexcept try {
  constexpr std::chrono::minutes window{1};
  const auto reason = text_of(what);
  metrics_.io_fault();
  log::error("http_io_fault", {{"where", where}, {"reason", std::string_view{reason}}});
  death_notice tell;
  {
    std::lock_guard lock{mutex_};
    auto& slot = latest_[count_ % max_a_minute]; // of the one that many faults ago
    if (count_ >= max_a_minute && now - slot < window && !broken_)
      broken_ = "too many exceptions on the io threads, the last one: " + reason;
    slot = now;
    ++count_;
    if (broken_ && !told_ && died_) {
      told_ = true;
      tell = died_;
    }
  }
  if (tell)
    tell(*broken_); // never changed once it is set
} catch (...) {
  // Out of memory while it was told of: there is nobody left to tell.
}

void fault_watch::watch(death_notice died) {
  death_notice tell;
  {
    std::lock_guard lock{mutex_};
    died_ = std::move(died);
    if (broken_ && !told_) {
      told_ = true;
      tell = died_;
    }
  }
  if (tell)
    tell(*broken_);
}

bool fault_watch::broken() const {
  std::lock_guard lock{mutex_};
  return broken_.has_value();
}

} // namespace rahat::http
