#include "tests/unit/actors/support/state_table.hpp"

#include <fstream>
#include <stdexcept>

namespace rahat::testing {

namespace {

std::string trimmed(const std::string& text) {
  auto first = text.find_first_not_of(" `");
  if (first == std::string::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" `") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::size_t start = 0;
  while (true) {
    auto end = text.find(separator, start);
    out.push_back(trimmed(text.substr(start, end - start)));
    if (end == std::string::npos)
      return out;
    start = end + 1;
  }
}

/// The cells between the outer bars.
std::vector<std::string> cells(const std::string& line) {
  auto last = line.find_last_of('|');
  return split(line.substr(1, last - 1), '|');
}

bool is_rule(const std::string& line) {
  return line.find_first_not_of("|-: ") == std::string::npos;
}

} // namespace

std::vector<table_row> state_table(const std::string& path, const std::string& name) {
  static const std::vector<std::string> columns{"status", "input",   "next",
                                                "events", "effects", "error"};
  std::ifstream file(std::string(RAHAT_SOURCE_DIR) + "/" + path);
  if (!file)
    throw std::runtime_error(path + " cannot be read");
  std::vector<table_row> rows;
  bool in_section = false;
  bool in_table = false;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line == "<!-- state table: " + name + " -->") {
      in_section = true;
    } else if (in_section && !line.empty() && line.front() == '|') {
      auto parts = cells(line);
      if (!in_table && parts != columns)
        throw std::runtime_error(path + ": the table " + name + " has other columns");
      if (in_table && !is_rule(line)) {
        if (parts.size() != columns.size())
          throw std::runtime_error(path + ":" + std::to_string(number) + ": not six cells");
        for (auto& status : split(parts[0], ','))
          for (auto& input : split(parts[1], ','))
            rows.push_back({status, input, parts[2], parts[3], parts[4], parts[5], number});
      }
      in_table = true;
    } else if (in_table) {
      break;
    }
  }
  if (rows.empty())
    throw std::runtime_error(path + " has no state table " + name);
  return rows;
}

} // namespace rahat::testing
