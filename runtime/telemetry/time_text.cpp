#include "runtime/telemetry/time_text.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace rahat {

std::string rfc3339(std::int64_t at_us) {
  auto seconds = static_cast<std::time_t>(at_us / 1'000'000);
  auto millis = static_cast<int>(at_us % 1'000'000 / 1'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 80> text;
  auto n = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                         parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                         parts.tm_min, parts.tm_sec, millis);
  return {text.data(), static_cast<std::size_t>(n)};
}

} // namespace rahat
