#include "runtime/telemetry/log_line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace rahat::log {

namespace {

constexpr std::string_view truncated_tail = ",\"truncated\":true}";
constexpr std::size_t max_key_bytes = 64;
constexpr std::size_t max_event_bytes = 200;
constexpr std::size_t max_node_bytes = 200;
constexpr std::size_t least_text_room = 16; // a text is not cut down to less than this

std::string_view name_of(level at) {
  switch (at) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warning: return "warning";
    case level::error: return "error";
  }
  return "error";
}

// The length of the UTF-8 character at the start, or 0 if there is none (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t character_length(std::string_view text) {
  auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  auto first = byte(0);
  if (first < 0x80)
    return 1;
  if (first >= 0xC2 && first <= 0xDF)
    return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool overlong = first == 0xE0 && byte(1) < 0xA0;
    bool surrogate = first == 0xED && byte(1) > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool overlong = first == 0xF0 && byte(1) < 0x90;
    bool too_high = first == 0xF4 && byte(1) > 0x8F;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
  }
  return 0;
}

// The JSON form of one character, which may be a broken byte.
std::string_view escaped(std::string_view character, bool valid, std::array<char, 8>& room) {
  if (!valid)
    return "\\ufffd";
  switch (character.front()) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
  }
  auto code = static_cast<unsigned char>(character.front());
  if (character.size() == 1 && (code < 0x20 || code == 0x7F)) {
    auto length = std::snprintf(room.data(), room.size(), "\\u%04x", code);
    return {room.data(), static_cast<std::size_t>(length)};
  }
  return character;
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> text{};
  auto [end, failed] = std::to_chars(text.data(), text.data() + text.size(), number);
  out.append(text.data(), end);
}

struct value_writer {
  std::string& out;
  std::size_t room;

  bool operator()(std::nullptr_t) const {
    out += "null";
    return true;
  }
  bool operator()(bool flag) const {
    out += flag ? "true" : "false";
    return true;
  }
  bool operator()(std::int64_t number) const {
    append_number(out, number);
    return true;
  }
  bool operator()(std::uint64_t number) const {
    append_number(out, number);
    return true;
  }
  bool operator()(double number) const {
    // JSON has no word for these.
    if (std::isfinite(number))
      append_number(out, number);
    else
      out += "null";
    return true;
  }
  bool operator()(std::string_view text) const { return append_json_text(out, text, room); }
};

bool is_taken(std::string_view key) {
  constexpr std::array<std::string_view, 5> names = {"ts", "level", "event", "node", "truncated"};
  return std::find(names.begin(), names.end(), key) != names.end();
}

// Appends the field if there is room before `limit`. False if it, or a part of it, was left out.
bool append_field(std::string& out, const field& f, std::size_t limit) {
  auto before = out.size();
  out += ',';
  auto key = std::string(f.key) + (is_taken(f.key) ? "_" : "");
  bool whole = append_json_text(out, key, max_key_bytes);
  out += ':';
  bool text = std::holds_alternative<std::string_view>(f.held.held());
  auto used = out.size();
  if (used + (text ? least_text_room : 0) > limit) {
    out.resize(before);
    return false;
  }
  whole = std::visit(value_writer{out, limit - used}, f.held.held()) && whole;
  if (out.size() > limit) {
    out.resize(before);
    return false;
  }
  return whole;
}

} // namespace

bool append_json_text(std::string& out, std::string_view text, std::size_t room) {
  const auto limit = out.size() + room - 1; // the closing quote
  std::array<char, 8> scratch{};
  out += '"';
  while (!text.empty()) {
    auto length = character_length(text);
    auto piece = escaped(text.substr(0, std::max<std::size_t>(length, 1)), length > 0, scratch);
    if (out.size() + piece.size() > limit)
      break;
    out += piece;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
  return text.empty();
}

std::string timestamp(std::int64_t unix_ns) {
  constexpr std::int64_t ns_per_s = 1'000'000'000;
  auto seconds = static_cast<std::time_t>(unix_ns / ns_per_s);
  auto micros = static_cast<int>(unix_ns % ns_per_s / 1'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  auto length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                              utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                              utc.tm_min, utc.tm_sec, micros);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string render(level at, std::string_view event, fields about, std::string_view node,
                   std::int64_t unix_ns) {
  std::string out;
  out.reserve(256);
  out += "{\"ts\":\"" + timestamp(unix_ns) + "\",\"level\":\"";
  out += name_of(at);
  out += "\",\"event\":";
  bool whole = append_json_text(out, event, max_event_bytes);
  out += ",\"node\":";
  whole = append_json_text(out, node, max_node_bytes) && whole;
  for (const auto& f : about)
    whole = append_field(out, f, max_line_bytes - truncated_tail.size()) && whole;
  out += whole ? "}" : truncated_tail;
  return out;
}

} // namespace rahat::log
