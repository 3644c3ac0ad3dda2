#include "persistence/lease/lease_state.hpp"

#include <ctime>

namespace rahat {

boot_time read_boot_clock() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

const char* to_string(lease_end why) {
  switch (why) {
    case lease_end::none: return "running";
    case lease_end::declared_dead: return "declared dead";
    case lease_end::superseded: return "superseded by a later start of this node";
    case lease_end::other_generation: return "the database was promoted or restored";
  }
  return "unknown";
}

void lease_state::beat(boot_time now) {
  last_beat_.store(now.count(), std::memory_order_relaxed);
}

bool lease_state::may_renew(boot_time now) const {
  const auto last = last_beat_.load(std::memory_order_relaxed);
  return last != never && now - boot_time{last} < terms_.ttl && ended() == lease_end::none;
}

void lease_state::renewed(boot_time sent_at) {
  const auto until = sent_at + terms_.ttl - terms_.margin;
  if (until.count() > serve_until_.load(std::memory_order_relaxed))
    serve_until_.store(until.count(), std::memory_order_release);
}

void lease_state::end(lease_end why) {
  auto expected = lease_end::none;
  ended_.compare_exchange_strong(expected, why, std::memory_order_acq_rel);
}

bool lease_state::valid(boot_time now) const {
  return ended() == lease_end::none && now.count() < serve_until_.load(std::memory_order_acquire);
}

} // namespace rahat
