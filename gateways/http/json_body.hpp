#pragma once

#include "runtime/decider/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace boost::json {
class object;
class value;
} // namespace boost::json

namespace rahat::http {

/// Bounds of a JSON body; each is answered as malformed_body or invalid_input.
inline constexpr std::size_t max_json_depth = 32;
inline constexpr std::size_t max_json_fields = 1024;      // of one object
inline constexpr std::size_t max_json_elements = 100'000; // of one array
inline constexpr std::size_t max_json_key_bytes = 256;

/// Reads the fields of a JSON object, strictly: no duplicate or unknown fields, no U+0000, no
/// number where a text is due or the other way round, no fractions, nothing beyond int64. The first
/// error is kept, later reads then give neutral values, so a resource reads all of its fields in a
/// row and asks once:
///
///     json_reader in(request.body);
///     auto name = in.require_string("name", 200);
///     auto amount = in.require_amount("amount_minor");
///     if (auto wrong = in.finish())
///       return done(problem(*wrong));
///
/// Lives on one thread. The body may go once the reader is constructed.
class json_reader {
public:
  explicit json_reader(std::string_view body);
  ~json_reader();
  json_reader(json_reader&&) noexcept;

  bool has(std::string_view name) const; // present and not null

  /// A text of `min_bytes` to `max_bytes` bytes of UTF-8.
  std::string require_string(std::string_view name, std::size_t max_bytes,
                             std::size_t min_bytes = 1);
  std::optional<std::string> optional_string(std::string_view name, std::size_t max_bytes,
                                             std::size_t min_bytes = 0);

  /// A text that is one of `allowed`.
  std::string require_one_of(std::string_view name,
                             std::initializer_list<std::string_view> allowed);
  std::optional<std::string> optional_one_of(std::string_view name,
                                             std::initializer_list<std::string_view> allowed);

  std::int64_t require_int64(std::string_view name,
                             std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                             std::int64_t max = std::numeric_limits<std::int64_t>::max());
  std::optional<std::int64_t> optional_int64(
      std::string_view name, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
      std::int64_t max = std::numeric_limits<std::int64_t>::max());

  /// Money in minor units: 1 to int64's largest.
  std::int64_t require_amount(std::string_view name);
  std::optional<std::int64_t> optional_amount(std::string_view name);

  /// Three upper-case letters (the form of ISO 4217; whether it exists is the kind's business).
  std::string require_currency(std::string_view name);

  bool optional_bool(std::string_view name, bool otherwise);

  /// Up to `max_items` texts of 1 to `max_bytes` bytes; absent: empty.
  std::vector<std::string> optional_strings(std::string_view name, std::size_t max_items,
                                            std::size_t max_bytes);

  /// An object whose names are free and whose values are texts of at most `max_bytes`; absent:
  /// empty.
  std::vector<std::pair<std::string, std::string>> optional_string_map(std::string_view name,
                                                                       std::size_t max_items,
                                                                       std::size_t max_bytes);

  /// Reads a nested object, whose errors name it ("funding.amount_minor"). Returns false if absent.
  bool optional_object(std::string_view name, const std::function<void(json_reader&)>& read);
  void require_object(std::string_view name, const std::function<void(json_reader&)>& read);

  /// Reads 0 to `max_items` objects, whose errors name them ("members[3].name"); absent: none.
  void optional_objects(std::string_view name, std::size_t max_items,
                        const std::function<void(json_reader&)>& read);

  /// Reports a rule of the resource's own about a field; kept like the reader's own errors.
  void reject(std::string_view name, std::string_view why);

  /// The first error; if there was none, the first field that nobody asked for.
  std::optional<error> finish();

private:
  struct document;

  json_reader(std::shared_ptr<document> doc, const boost::json::object* fields, std::string prefix);

  const boost::json::value* find(std::string_view name);
  const boost::json::value* need(std::string_view name);
  const boost::json::value* array_of(std::string_view name, std::size_t max_items);
  std::string as_string(const boost::json::value& v, std::string_view name, std::size_t max_bytes,
                        std::size_t min_bytes);
  std::int64_t as_int64(const boost::json::value& v, std::string_view name, std::int64_t min,
                        std::int64_t max);
  std::string as_one_of(const boost::json::value& v, std::string_view name,
                        std::initializer_list<std::string_view> allowed);
  void as_object(const boost::json::value& v, std::string name,
                 const std::function<void(json_reader&)>& read);

  std::shared_ptr<document> doc_;
  const boost::json::object* fields_ = nullptr; // nullptr: nothing to read, an error stands
  std::string prefix_;
  std::vector<std::string> asked_;
};

} // namespace rahat::http
