#pragma once

#include <cstdint>
#include <string>

namespace rahat::ctl {

/// A register of households as CSV, ready to upload.
struct demo_register {
  std::string csv;
  std::uint64_t households = 0;
  std::int64_t amount_minor = 0; // sum of what the households are to get
};

/// One row a household of `<examples>/register`, its head as the member, with a name from the name
/// lists. Repeats the register until there are `lines` households; 0 takes it once. Throws
/// std::runtime_error when a file is missing or malformed.
demo_register read_demo_register(const std::string& examples, std::uint64_t lines);

} // namespace rahat::ctl
