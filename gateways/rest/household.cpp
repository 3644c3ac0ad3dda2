#include "gateways/rest/household.hpp"

#include "gateways/http/text.hpp"
#include "gateways/rest/json_writer.hpp"
#include "gateways/rest/parse.hpp"

#include <algorithm>

namespace rahat::rest {

namespace {

constexpr std::array<std::string_view, known_columns> names = {
    "external_ref", "name",           "phone",    "gender",
    "birth_date",   "household_size", "location", "amount_minor"};

constexpr std::size_t least_phone_digits = 5;
constexpr std::size_t most_phone_digits = 15; // E.164

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

/// Collects what is wrong with a row while its fields are read.
class row_check {
public:
  explicit row_check(const raw_row& row) : row_(row) {}

  /// The trimmed text of a field, "" when it is absent or wrong.
  std::string_view text(column which, std::size_t most) {
    return text(to_string(which), row_[which], most);
  }

  std::string_view text(std::string_view field, std::string_view value, std::size_t most) {
    value = http::trim(value);
    if (has_control(value))
      return reject(field, "holds a control character such as U+0000 or a line break: remove it");
    if (!http::is_utf8(value))
      return reject(field, "is not UTF-8: save the file as UTF-8 and send it again");
    if (value.size() > most && characters(value) > most)
      return reject(field, "may have at most " + std::to_string(most) + " characters");
    return value;
  }

  std::string_view reject(std::string_view field, std::string_view why) {
    if (errors_.size() < max_errors_a_row)
      errors_.push_back({std::string(field), std::string(why)});
    return {};
  }

  std::string_view reject(column which, std::string_view why) {
    return reject(to_string(which), why);
  }

  std::vector<field_error> take() { return std::move(errors_); }

private:
  const raw_row& row_;
  std::vector<field_error> errors_;
};

/// Digits with an optional leading +, from what people write.
void read_phone(row_check& check, json_writer& out) {
  auto text = check.text(column::phone, 40);
  if (text.empty())
    return;
  std::string digits;
  for (char c : text) {
    if ((c >= '0' && c <= '9') || (c == '+' && digits.empty()))
      digits += c;
    else if (std::string_view(" -.()/").find(c) == std::string_view::npos)
      return void(check.reject(column::phone,
                               "may have digits, spaces, - . ( ) / and a leading +, "
                               "e.g. +9779812345678"));
  }
  auto n = digits.size() - (digits.starts_with('+') ? 1 : 0);
  if (n < least_phone_digits || n > most_phone_digits)
    return void(check.reject(column::phone, "must have 5 to 15 digits"));
  out.text("phone", digits);
}

void read_gender(row_check& check, json_writer& out) {
  auto text = http::to_lower(check.text(column::gender, 40));
  if (text.empty())
    return;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> words = {
      {{"f", "female"},
       {"female", "female"},
       {"m", "male"},
       {"male", "male"},
       {"o", "other"},
       {"other", "other"},
       {"u", "unknown"},
       {"unknown", "unknown"}}};
  for (auto& [word, meaning] : words)
    if (word == text)
      return void(out.text("gender", meaning));
  check.reject(column::gender, "must be female, male, other or unknown (or f, m, o, u)");
}

void read_birth_date(row_check& check, std::chrono::year_month_day today, json_writer& out) {
  auto text = check.text(column::birth_date, 40);
  if (text.empty())
    return;
  auto day = parse_date(text);
  if (!day)
    return void(
        check.reject(column::birth_date, "must be a day written YYYY-MM-DD, e.g. 1984-03-27"));
  if (day->year() < std::chrono::year(1900) || *day > today)
    return void(check.reject(column::birth_date, "must lie between 1900-01-01 and today"));
  out.text("birth_date", text);
}

void read_household_size(row_check& check, json_writer& out) {
  auto text = check.text(column::household_size, 40);
  if (text.empty())
    return;
  auto n = parse_number<std::int64_t>(text);
  if (!n || *n < 1 || *n > max_household_size)
    return void(check.reject(column::household_size, "must be a whole number from 1 to 100"));
  out.number("household_size", *n);
}

std::int64_t read_amount(row_check& check) {
  auto text = check.text(column::amount_minor, 40);
  if (text.empty())
    return 0;
  auto n = parse_number<std::int64_t>(text);
  if (!n || *n < 0 || *n > max_row_amount_minor) {
    check.reject(column::amount_minor,
                 "must be a whole number of minor units from 0 to 1000000000000, without "
                 "separators: 1,500.00 is written 150000");
    return 0;
  }
  return *n;
}

} // namespace

std::string_view to_string(column which) {
  return names[static_cast<std::size_t>(which)];
}

std::optional<column> column_named(std::string_view name) {
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    return std::nullopt;
  return static_cast<column>(found - names.begin());
}

std::vector<field_error> check(const raw_row& row, std::chrono::year_month_day today,
                               household& out) {
  row_check check(row);
  json_writer doc(256);
  out.external_ref = check.text(column::external_ref, max_external_ref);
  if (out.external_ref.empty() && http::trim(row[column::external_ref]).empty())
    check.reject(column::external_ref,
                 "is missing: give every household the reference that your register has for it");
  doc.begin_object().text("external_ref", out.external_ref);
  if (auto name = check.text(column::name, max_name); !name.empty())
    doc.text("name", name);
  read_phone(check, doc);
  read_gender(check, doc);
  read_birth_date(check, today, doc);
  read_household_size(check, doc);
  if (auto location = check.text(column::location, max_location); !location.empty())
    doc.text("location", location);
  out.amount_minor = read_amount(check);
  bool any = false;
  for (auto& [name, value] : row.extras) {
    auto text = check.text(name, value, max_extra);
    if (text.empty())
      continue;
    if (!any)
      doc.begin_object("extras");
    any = true;
    doc.text_of_any_name(name, text);
  }
  if (any)
    doc.end_object();
  out.document = doc.end_object().take();
  if (out.document.size() > max_document_bytes)
    check.reject("", "holds more than 8000 bytes in all: leave columns out that nobody needs");
  return check.take();
}

} // namespace rahat::rest
