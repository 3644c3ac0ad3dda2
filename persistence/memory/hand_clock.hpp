#pragma once

#include "runtime/ports/clock.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace rahat {

/// A clock that stands still until it is moved by hand, of a machine that has been up for an hour;
/// for simulations and tests. Thread-safe.
class hand_clock final : public clock {
public:
  explicit hand_clock(std::int64_t now_us = 1'767'225'600'000'000) // 2026-01-01T00:00:00Z
      : now_us_(now_us), start_us_(now_us) {}

  void advance_us(std::int64_t by_us) { now_us_ += by_us; }
  void pass(std::chrono::microseconds time) { advance_us(time.count()); }

  std::int64_t now_us() const override { return now_us_; }

  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point{} + std::chrono::microseconds(boot_us());
  }

  std::int64_t boot_us() const override { return up_us + now_us_ - start_us_; }

private:
  static constexpr std::int64_t up_us = 3'600'000'000;

  std::atomic<std::int64_t> now_us_;
  const std::int64_t start_us_;
};

} // namespace rahat
