#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rahat::rest {

/// Appends one JSON document to a string: no tree, one allocation. Names are literals of ours and
/// need no escape; values are escaped. Commas follow from what stands before.
class json_writer {
public:
  explicit json_writer(std::size_t reserve = 768) { out_.reserve(reserve); }

  json_writer& begin_object(std::string_view name = {}) { return open(name, '{'); }
  json_writer& end_object() { return close('}'); }
  json_writer& begin_array(std::string_view name = {}) { return open(name, '['); }
  json_writer& end_array() { return close(']'); }

  json_writer& text(std::string_view name, std::string_view value);
  json_writer& text_or_null(std::string_view name, std::string_view value); // "" is null
  json_writer& number(std::string_view name, std::int64_t value);
  json_writer& truth(std::string_view name, bool value);
  json_writer& null(std::string_view name);

  /// 16 raw bytes as a UUID; null when there are none.
  json_writer& id(std::string_view name, std::string_view raw);
  json_writer& id(std::string_view name, const uuid& value);

  /// Bytes as hex digits; null when there are none.
  json_writer& hex(std::string_view name, std::string_view bytes);

  /// Microseconds since 1970 as RFC 3339 in UTC with milliseconds; null for 0.
  json_writer& time(std::string_view name, std::int64_t at_us);

  /// A status from the name of a Protobuf enum value: "PROJECT_ACTIVE" is written "active".
  json_writer& status(std::string_view name, std::string_view enum_name);

  /// A document that is JSON already.
  json_writer& raw(std::string_view name, std::string_view json);

  /// A field whose name is not ours and is escaped like a value.
  json_writer& text_of_any_name(std::string_view name, std::string_view value);

  /// Elements of an array.
  json_writer& element(std::int64_t value);
  json_writer& element(std::string_view raw_json);

  std::string take() { return std::move(out_); }

private:
  json_writer& open(std::string_view name, char bracket);
  json_writer& close(char bracket);
  void key(std::string_view name);
  void separate();
  void digits(std::int64_t value);

  std::string out_;
};

/// "PROJECT_ACTIVE" -> "active".
std::string status_word(std::string_view enum_name);

/// 1970-01-01T00:00:00.000Z and so on; years 1970 to 9999.
std::string time_text(std::int64_t at_us);

} // namespace rahat::rest
