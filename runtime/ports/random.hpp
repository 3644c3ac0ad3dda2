#pragma once

#include <cstddef>
#include <cstdint>

namespace rahat {

/// Unpredictable bytes: keys, nonces, tokens, jitter. Deciders never see it.
class random {
public:
  virtual ~random() = default;
  virtual void fill(void* out, std::size_t bytes) = 0;

  std::uint64_t number() {
    std::uint64_t n = 0;
    fill(&n, sizeof(n));
    return n;
  }
};

/// OpenSSL's generator. Thread-safe.
class system_random final : public random {
public:
  void fill(void* out, std::size_t bytes) override;
};

} // namespace rahat
