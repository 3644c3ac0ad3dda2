#include "apps/rahatctl/progress.hpp"

#include <unistd.h>
#include <algorithm>
#include <iostream>

namespace rahat::ctl {

namespace {

constexpr std::size_t bar_width = 40;
constexpr std::chrono::seconds line_every{2};

} // namespace

progress::progress(std::ostream& out, std::uint64_t total)
    : out_(out),
      total_(std::max<std::uint64_t>(total, 1)),
      terminal_(&out == &std::cout && ::isatty(STDOUT_FILENO) == 1) {}

void progress::show(std::uint64_t done, const std::string& what) {
  done = std::min(done, total_);
  auto percent = done * 100 / total_;
  if (terminal_) {
    auto full = done * bar_width / total_;
    out_ << "\r  [" << std::string(full, '#') << std::string(bar_width - full, ' ') << "] "
         << percent << "% " << what << "\x1b[K" << std::flush;
    drawn_ = true;
    return;
  }
  auto now = std::chrono::steady_clock::now();
  if (what == last_ && now < next_line_)
    return;
  last_ = what;
  next_line_ = now + line_every;
  out_ << "  " << what << ": " << done << " of " << total_ << " (" << percent << "%)\n"
       << std::flush;
}

void progress::finish() {
  if (drawn_)
    out_ << "\n" << std::flush;
  drawn_ = false;
}

} // namespace rahat::ctl
