#pragma once

#include "gateways/http/probe.hpp"
#include "runtime/ports/part.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace rahat::http {

/// What becomes of exceptions that reach an io thread, which none should: each is logged and
/// counted and costs the connection that it came from, the others go on. More than `max_a_minute`
/// of them is no accident any more: the listener is broken, and its owner is told to replace it.
/// Thread-safe.
class fault_watch {
public:
  static constexpr std::size_t max_a_minute = 10;

  explicit fault_watch(probe& metrics) : metrics_(metrics) {}

  /// `where` is a fixed name for the log.
  void happened(std::string_view where, const std::exception_ptr& what,
                std::chrono::steady_clock::time_point now) noexcept;

  /// Who hears that the listener is broken: once, and at once if it is.
  void watch(death_notice died);

  bool broken() const;

private:
  probe& metrics_;
  mutable std::mutex mutex_; // guards the rest
  std::array<std::chrono::steady_clock::time_point, max_a_minute> latest_{};
  std::uint64_t count_ = 0;
  std::optional<std::string> broken_; // why
  bool told_ = false;
  death_notice died_;
};

} // namespace rahat::http
