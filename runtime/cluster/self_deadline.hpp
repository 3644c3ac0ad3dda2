#pragma once

#include <cstdint>
#include <optional>

namespace rahat::cluster {

/// What a node may believe of its own lease, and since when it may judge others. Pure arithmetic on
/// the node's own CLOCK_BOOTTIME in microseconds (`clock::boot_us`), which goes on while the
/// machine sleeps; never compared with another machine's. Owned by one thread.
///
/// `serve_until = sent + ttl - margin`: counted from the *sending* of the last confirmed renewal,
/// because the database cannot have counted from an earlier moment; the margin is for the drift of
/// the two clocks. So the holder stops before anybody may read its lease as lapsed; only a database
/// clock that is *set* ahead by more than the margin makes others see the end first, and then reads
/// of the holder may be up to ttl - margin old. Its writes are fenced whatever the clocks say.
class self_deadline {
public:
  struct terms {
    std::int64_t ttl_us = 3'000'000;
    std::int64_t margin_us = 500'000;
    /// Renewals further apart than this break the run of `steady_since_us`. Less than ttl minus
    /// one interval of renewal: whoever sees no such gap knows that the store was within
    /// everybody's reach for long enough that no healthy peer's lease can have lapsed meanwhile.
    std::int64_t gap_us = 1'500'000;
    /// If the database's clock moved by more than this against the own one between two renewals, it
    /// was set, and the run breaks too. Less than what is left of a healthy lease (ttl - renewal).
    std::int64_t jump_us = 1'000'000;
  };

  self_deadline() : self_deadline(terms{}) {}

  /// Throws std::invalid_argument unless 0 < margin < ttl and 0 < gap < ttl.
  explicit self_deadline(const terms& t);

  /// The database confirmed a renewal sent at `sent_boot_us`, by its own clock at
  /// `database_now_us`. One that is older than a former one changes nothing.
  void confirmed(std::int64_t sent_boot_us, std::int64_t database_now_us);

  /// The lease was lost for good, or the database is another generation: nothing is served until
  /// the next `confirmed`.
  void forget();

  /// True while the holder may serve.
  bool serving(std::int64_t boot_now_us) const;

  /// First microsecond at which it may not; nullopt if it never could.
  std::optional<std::int64_t> serve_until_us() const;

  /// Since when renewals have been confirmed without a gap; nullopt before the first one and once
  /// `boot_now_us` is a gap away from the last one.
  std::optional<std::int64_t> steady_since_us(std::int64_t boot_now_us) const;

  /// The database's clock minus the own one, as of the last renewal; 0 before the first.
  std::int64_t clock_offset_us() const { return offset_; }

private:
  terms terms_;
  std::optional<std::int64_t> last_sent_;
  std::int64_t offset_ = 0;
  std::int64_t steady_since_ = 0;
};

} // namespace rahat::cluster
