#pragma once

#include "runtime/ports/random.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>

namespace rahat {

/// Dice that a seed loads. Thread-safe.
class seeded_random final : public random {
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

} // namespace rahat
