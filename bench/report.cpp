#include "bench/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace rahat::bench {

namespace {

std::string figure(double value) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(value >= 1'000 ? 0 : value >= 10 ? 1 : 3) << value;
  return out.str();
}

std::string verdict(const measurement& row) {
  auto ratio = row.ratio();
  if (row.goal.which == bar::side::none || !ratio)
    return "";
  std::ostringstream out;
  out << (row.goal.which == bar::side::at_least ? ">= " : "<= ") << row.goal.limit
      << (row.goal.met(*ratio) ? "  met" : "  MISSED");
  return out.str();
}

boost::json::value or_null(std::optional<double> value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

} // namespace

bool bar::met(double ratio) const {
  switch (which) {
    case side::at_least: return ratio >= limit;
    case side::at_most: return ratio <= limit;
    case side::none: break;
  }
  return true;
}

std::optional<double> measurement::ratio() const {
  if (!yardstick || *yardstick == 0)
    return std::nullopt;
  return value / *yardstick;
}

double median(std::vector<double> of) {
  if (of.empty())
    throw std::logic_error("the median of nothing");
  std::sort(of.begin(), of.end());
  return of[(of.size() - 1) / 2];
}

void print_table(std::ostream& out, const std::vector<measurement>& rows) {
  out << std::left << std::setw(28) << "name" << std::right << std::setw(12) << "value"
      << "  " << std::left << std::setw(14) << "unit" << std::right << std::setw(12) << "yardstick"
      << std::setw(9) << "ratio"
      << "  bar\n";
  for (auto& row : rows) {
    auto ratio = row.ratio();
    out << std::left << std::setw(28) << row.name << std::right << std::setw(12)
        << figure(row.value) << "  " << std::left << std::setw(14) << row.unit << std::right
        << std::setw(12) << (row.yardstick ? figure(*row.yardstick) : "-") << std::setw(9)
        << (ratio ? figure(*ratio) : "-") << "  " << verdict(row) << "\n";
  }
  out << std::flush;
}

std::string json_of(const std::vector<measurement>& rows) {
  boost::json::array list;
  for (auto& row : rows)
    list.push_back({{"name", row.name},
                    {"value", row.value},
                    {"unit", row.unit},
                    {"yardstick", or_null(row.yardstick)},
                    {"ratio", or_null(row.ratio())}});
  return boost::json::serialize(list) + "\n";
}

} // namespace rahat::bench
