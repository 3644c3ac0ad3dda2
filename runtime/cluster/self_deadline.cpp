#include "runtime/cluster/self_deadline.hpp"

#include <cstdlib>
#include <stdexcept>

namespace rahat::cluster {

self_deadline::self_deadline(const terms& t) : terms_(t) {
  if (t.margin_us <= 0 || t.margin_us >= t.ttl_us)
    throw std::invalid_argument("self_deadline: the margin must lie between 0 and the lease's ttl");
  if (t.gap_us <= 0 || t.gap_us >= t.ttl_us)
    throw std::invalid_argument("self_deadline: the gap must lie between 0 and the lease's ttl");
  if (t.jump_us <= 0 || t.jump_us >= t.ttl_us)
    throw std::invalid_argument("self_deadline: the jump must lie between 0 and the lease's ttl");
}

void self_deadline::confirmed(std::int64_t sent_boot_us, std::int64_t database_now_us) {
  if (last_sent_ && sent_boot_us <= *last_sent_)
    return;
  const auto offset = database_now_us - sent_boot_us;
  if (!last_sent_ || sent_boot_us - *last_sent_ > terms_.gap_us ||
      std::abs(offset - offset_) > terms_.jump_us)
    steady_since_ = sent_boot_us;
  offset_ = offset;
  last_sent_ = sent_boot_us;
}

void self_deadline::forget() {
  last_sent_.reset();
}

bool self_deadline::serving(std::int64_t boot_now_us) const {
  return last_sent_ && boot_now_us < *serve_until_us();
}

std::optional<std::int64_t> self_deadline::serve_until_us() const {
  if (!last_sent_)
    return std::nullopt;
  return *last_sent_ + terms_.ttl_us - terms_.margin_us;
}

std::optional<std::int64_t> self_deadline::steady_since_us(std::int64_t boot_now_us) const {
  if (!last_sent_ || boot_now_us - *last_sent_ > terms_.gap_us)
    return std::nullopt;
  return steady_since_;
}

} // namespace rahat::cluster
