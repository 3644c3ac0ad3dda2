#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace rahat::bench {

/// What a ratio has to reach, if anything.
struct bar {
  enum class side { none, at_least, at_most };
  side which = side::none;
  double limit = 0; // of the ratio

  bool met(double ratio) const;
};

/// One row of the report. `yardstick` is the other side's figure or, where a figure has a fixed
/// limit, that limit; ratio = value / yardstick.
struct measurement {
  std::string name;
  double value = 0;
  std::string unit;
  std::optional<double> yardstick;
  bar goal;

  std::optional<double> ratio() const;
};

inline bar at_least(double ratio) {
  return {bar::side::at_least, ratio};
}
inline bar at_most(double ratio) {
  return {bar::side::at_most, ratio};
}

/// The middle one; of an even number the lower of the two in the middle. Must not be empty.
double median(std::vector<double> of);

/// Columns name, value, unit, yardstick, ratio, and the bar with whether it was met.
void print_table(std::ostream& out, const std::vector<measurement>& rows);

/// A list of objects with the keys name, value, unit, yardstick, ratio; null where there is none.
std::string json_of(const std::vector<measurement>& rows);

} // namespace rahat::bench
