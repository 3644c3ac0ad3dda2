#pragma once

#include <chrono>
#include <cstdint>

namespace rahat {

/// Time as the product sees it. Nothing else in the tree reads a clock (tests/unit/tidy checks).
class clock {
public:
  virtual ~clock() = default;

  /// Wall clock, microseconds since 1970-01-01T00:00:00Z; for stamps that people read.
  virtual std::int64_t now_us() const = 0;

  /// Monotonic; for deadlines and durations within this process.
  virtual std::chrono::steady_clock::time_point steady() const = 0;

  /// CLOCK_BOOTTIME in microseconds: goes on while the machine sleeps; for leases.
  virtual std::int64_t boot_us() const = 0;
};

/// The clocks of the operating system. Thread-safe, stateless.
class system_clock_port final : public clock {
public:
  std::int64_t now_us() const override;
  std::chrono::steady_clock::time_point steady() const override;
  std::int64_t boot_us() const override;
};

} // namespace rahat
