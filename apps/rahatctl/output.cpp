#include "apps/rahatctl/output.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <ostream>
#include <vector>

namespace rahat::ctl {

namespace json = boost::json;

namespace {

// Characters, near enough to columns for aligning.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, columns(text)), ' ');
}

std::string without_controls(std::string_view text) {
  std::string out;
  for (char c : text) {
    auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code != 0x7F) {
      out += c;
      continue;
    }
    char room[8];
    std::snprintf(room, sizeof room, "\\x%02x", code);
    out += room;
  }
  return out;
}

} // namespace

std::optional<json::value> parse_json(std::string_view text) {
  boost::system::error_code failed;
  auto whole = json::parse(text, failed);
  if (!failed)
    return whole;
  auto end = text.find_last_not_of("\r\n\t ");
  if (end == std::string_view::npos)
    return std::nullopt;
  text = text.substr(0, end + 1);
  auto line = text.rfind('\n');
  if (line == std::string_view::npos)
    return std::nullopt;
  auto last = json::parse(text.substr(line + 1), failed);
  return failed ? std::nullopt : std::optional(std::move(last));
}

std::string plain(const json::value& value) {
  if (value.is_string())
    return without_controls({value.get_string().data(), value.get_string().size()});
  return value.is_null() ? "-" : json::serialize(value);
}

void print_fields(std::ostream& out, const json::object& fields) {
  std::size_t width = 0;
  for (const auto& f : fields)
    width = std::max(width, columns(f.key()));
  for (const auto& f : fields)
    out << "  " << padded(without_controls(f.key()) + ":", width + 1) << ' ' << plain(f.value())
        << '\n';
}

void print_table(std::ostream& out, const json::array& rows) {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> widths;
  for (const auto& row : rows) {
    if (!row.is_object())
      continue;
    for (const auto& f : row.get_object()) {
      std::string name = f.key();
      if (widths.emplace(name, columns(name)).second)
        names.push_back(name);
      widths[name] = std::max(widths[name], columns(plain(f.value())));
    }
  }
  auto print_row = [&](auto cell) {
    std::string line;
    for (const auto& name : names)
      line += padded(cell(name), widths[name]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  };
  print_row([](const std::string& name) { return without_controls(name); });
  for (const auto& row : rows)
    print_row([&](const std::string& name) {
      auto found = member(row, name);
      return found ? plain(*found) : std::string();
    });
}

const json::value* member(const json::value& of, std::string_view name) {
  return of.is_object() ? of.get_object().if_contains(name) : nullptr;
}

bool is_true(const json::value* value) {
  return value && value->is_bool() && value->get_bool();
}

std::optional<std::int64_t> number(const json::value* value) {
  if (!value || !value->is_number())
    return std::nullopt;
  boost::system::error_code failed;
  auto whole = value->to_number<std::int64_t>(failed);
  return failed ? std::nullopt : std::optional(whole);
}

} // namespace rahat::ctl
