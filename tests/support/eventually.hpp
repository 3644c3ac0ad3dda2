#pragma once

#include <poll.h>
#include <chrono>
#include <stdexcept>
#include <string>

namespace rahat::test {

/// How long a test waits for something that is bound to happen, on a busy machine.
inline constexpr std::chrono::seconds patience{30};

/// Asks `condition` until it holds; false when the limit passed first.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = patience,
                int pause_ms = 10) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline)
      return false;
    ::poll(nullptr, 0, pause_ms);
  }
  return true;
}

/// As `eventually`, for helpers without an assertion of their own: throws what was waited for.
template <class Condition>
void await(const std::string& what, Condition condition, std::chrono::milliseconds limit = patience,
           int pause_ms = 10) {
  if (!eventually(std::move(condition), limit, pause_ms))
    throw std::runtime_error("waited in vain until " + what);
}

} // namespace rahat::test
