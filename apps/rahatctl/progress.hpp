#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace rahat::ctl {

/// How far long work has come: a bar that is redrawn in a terminal, a line now and then elsewhere.
class progress {
public:
  progress(std::ostream& out, std::uint64_t total);

  void show(std::uint64_t done, const std::string& what);
  void finish();

private:
  std::ostream& out_;
  std::uint64_t total_;
  bool terminal_;
  bool drawn_ = false;
  std::string last_;
  std::chrono::steady_clock::time_point next_line_{};
};

} // namespace rahat::ctl
