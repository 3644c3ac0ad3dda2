#pragma once

#include "runtime/telemetry/log.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// How a log line is put together: pure functions, apart from where it goes (log.cpp).
namespace rahat::log {

/// One JSON object without a newline, at most `max_line_bytes` long.
std::string render(level at, std::string_view event, fields about, std::string_view node,
                   std::int64_t unix_ns);

/// Appends the text with quotes as a JSON string of at most `room` bytes (>= 2). Bytes that are not
/// UTF-8 become U+FFFD each. Returns false if the text had to be cut (never inside a character).
bool append_json_text(std::string& out, std::string_view text, std::size_t room);

/// RFC 3339 in UTC with microseconds: "2026-11-20T10:11:12.123456Z".
std::string timestamp(std::int64_t unix_ns);

} // namespace rahat::log
