#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

/// What people type, as deciders check it. The edge has already refused what is not UTF-8.
namespace rahat {

/// Characters, not bytes: a name in Nepali may be as long as one in English.
inline std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// At most `most` characters and no U+0000, which the store's text cannot hold.
inline bool is_text(std::string_view utf8, std::size_t most) {
  return utf8.find('\0') == std::string_view::npos && characters(utf8) <= most;
}

/// The same, and not blank.
inline bool is_some_text(std::string_view utf8, std::size_t most) {
  return utf8.find_first_not_of(" \t\r\n") != std::string_view::npos && is_text(utf8, most);
}

/// The form of an ISO 4217 code: three capital letters.
inline bool is_currency(std::string_view code) {
  return code.size() == 3 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// A day of the calendar, written YYYY-MM-DD.
inline std::optional<std::chrono::year_month_day> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-')
    return std::nullopt;
  auto number = [&](std::size_t first, std::size_t length) {
    int out = 0;
    for (char c : text.substr(first, length)) {
      if (c < '0' || c > '9')
        return -1;
      out = out * 10 + (c - '0');
    }
    return out;
  };
  int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (year < 0 || month < 0 || day < 0)
    return std::nullopt;
  std::chrono::year_month_day out{std::chrono::year(year),
                                  std::chrono::month(static_cast<unsigned>(month)),
                                  std::chrono::day(static_cast<unsigned>(day))};
  if (!out.ok())
    return std::nullopt;
  return out;
}

} // namespace rahat
