#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>

namespace rahat::test {

/// The uuid of the n-th node of a test; they sort by their numbers.
inline uuid node_number(int n) {
  uuid id;
  id.bytes[15] = static_cast<std::uint8_t>(n);
  return id;
}

} // namespace rahat::test
