#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// One household of a register: what a row may hold, and what is wrong with it.
namespace rahat::rest {

/// The columns that the register knows by name; every other column is an extra.
enum class column {
  external_ref,
  name,
  phone,
  gender,
  birth_date,
  household_size,
  location,
  amount_minor,
};

inline constexpr std::size_t known_columns = 8;

std::string_view to_string(column which);
std::optional<column> column_named(std::string_view name);

inline constexpr std::size_t max_extra_columns = 100;
inline constexpr std::size_t max_column_name_bytes = 100;
inline constexpr std::size_t max_external_ref = 100; // characters
inline constexpr std::size_t max_name = 200;
inline constexpr std::size_t max_location = 500;
inline constexpr std::size_t max_extra = 2'000;
inline constexpr std::int64_t max_household_size = 100;
inline constexpr std::int64_t max_row_amount_minor = 1'000'000'000'000;
inline constexpr std::size_t max_document_bytes = 8'000; // all personal fields and extras as JSON
inline constexpr std::size_t max_errors_a_row = 10;      // the first ones are reported

/// What is wrong with one field, and how to fix it.
struct field_error {
  std::string field;
  std::string message;
};

/// A row as it was read, before any check. Absent and empty are the same. The views live as long as
/// the reader's current row.
struct raw_row {
  std::array<std::string_view, known_columns> known{};
  std::vector<std::pair<std::string_view, std::string_view>> extras; // name, value

  std::string_view operator[](column which) const { return known[static_cast<std::size_t>(which)]; }
  std::string_view& operator[](column which) { return known[static_cast<std::size_t>(which)]; }

  void clear() {
    known.fill({});
    extras.clear();
  }
};

/// A row that passed.
struct household {
  std::string_view external_ref; // into the raw row
  std::int64_t amount_minor = 0; // 0: none given
  std::string document;          // the personal fields as JSON: what is sealed
};

/// Checks one row. Returns the errors, none if `out` is good. `today` bounds birth dates.
std::vector<field_error> check(const raw_row& row, std::chrono::year_month_day today,
                               household& out);

} // namespace rahat::rest
