#include "persistence/lease/lease_state.hpp"

#include <algorithm>
#include <ctime>

namespace rahat {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_clock_jump = 1s;

std::int64_t us(boot_time t) {
  return std::chrono::duration_cast<std::chrono::microseconds>(t).count();
}

std::chrono::milliseconds gap_of(const lease_terms& terms) {
  return terms.ttl / 2;
}

cluster::self_deadline::terms deadline_of(const lease_terms& terms) {
  const auto jump = std::min<std::chrono::milliseconds>(longest_clock_jump, terms.ttl / 3);
  return {us(terms.ttl), us(terms.margin), us(gap_of(terms)), us(jump)};
}

} // namespace

lease_state::lease_state(lease_terms terms) : terms_(terms), deadline_(deadline_of(terms)) {}

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

void lease_state::renewed(boot_time sent_at, std::int64_t database_now_us) {
  deadline_.confirmed(us(sent_at), database_now_us);
  offset_us_.store(deadline_.clock_offset_us(), std::memory_order_relaxed);
  serve_until_us_.store(*deadline_.serve_until_us(), std::memory_order_release);
  last_sent_us_ = std::max(last_sent_us_, us(sent_at)); // an older answer changes nothing
  steady_since_us_.store(*deadline_.steady_since_us(last_sent_us_), std::memory_order_release);
  steady_until_us_.store(last_sent_us_ + us(gap_of(terms_)), std::memory_order_release);
}

void lease_state::end(lease_end why) {
  auto expected = lease_end::none;
  ended_.compare_exchange_strong(expected, why, std::memory_order_acq_rel);
}

bool lease_state::valid(boot_time now) const {
  const auto until = serve_until_us_.load(std::memory_order_acquire);
  return ended() == lease_end::none &&
         (us(now) < until || (terms_.trusted_for_ever && until != never));
}

std::optional<std::int64_t> lease_state::steady_since_us(boot_time now) const {
  const auto until = steady_until_us_.load(std::memory_order_acquire);
  const auto since = steady_since_us_.load(std::memory_order_acquire);
  if (ended() != lease_end::none || since == never || us(now) > until)
    return std::nullopt;
  return since;
}

} // namespace rahat
