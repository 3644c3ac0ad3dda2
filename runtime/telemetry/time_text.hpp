#pragma once

#include <cstdint>
#include <string>

namespace rahat {

/// Microseconds since 1970 as RFC 3339 in UTC with milliseconds: 2026-11-20T10:11:12.123Z.
std::string rfc3339(std::int64_t at_us);

} // namespace rahat
