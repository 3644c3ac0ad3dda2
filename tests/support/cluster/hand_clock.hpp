#pragma once

#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <random>

namespace rahat::test {

/// Time that stands still until a test moves it. Thread-safe.
class hand_clock final : public clock {
public:
  std::int64_t now_us() const override { return epoch_us + since_us_; }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point{} + std::chrono::microseconds(hour_us + since_us_);
  }
  std::int64_t boot_us() const override { return hour_us + since_us_; }

  void pass(std::chrono::microseconds time) { since_us_ += time.count(); }

private:
  static constexpr std::int64_t epoch_us = 1'780'000'000'000'000; // in 2026
  static constexpr std::int64_t hour_us = 3'600'000'000;
  std::atomic<std::int64_t> since_us_{0};
};

/// Dice that a seed loads. Thread-safe.
class seeded_random final : public rahat::random {
public:
  explicit seeded_random(std::uint64_t seed) : engine_(seed) {}

  void fill(void* out, std::size_t bytes) override {
    std::lock_guard lock{mutex_};
    for (auto* at = static_cast<unsigned char*>(out); bytes > 0; ++at, --bytes)
      *at = static_cast<unsigned char>(engine_());
  }

  /// 0 to `below` - 1.
  std::uint64_t less_than(std::uint64_t below) {
    std::lock_guard lock{mutex_};
    return engine_() % below;
  }

private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

} // namespace rahat::test
