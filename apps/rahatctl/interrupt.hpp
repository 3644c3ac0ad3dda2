#pragma once

#include <csignal>

#include <array>
#include <stdexcept>

namespace rahat::ctl {

/// Somebody wants the program to end: Ctrl-C, a closed terminal, `kill`.
struct interrupted : std::runtime_error {
  interrupted() : std::runtime_error("interrupted") {}
};

/// While it lives, SIGINT, SIGTERM and SIGHUP are remembered instead of ending the process, so that
/// what was started can be stopped first; a broken pipe at the output ends nothing either. Signals
/// that were ignored stay so. One at a time, of the main thread.
class interrupt_guard {
public:
  interrupt_guard();
  ~interrupt_guard(); // the former handling again
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

  /// One of the signals has come.
  static bool seen();
  /// Throws `interrupted` if so.
  static void check();

private:
  static constexpr std::array signals_{SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  std::array<struct sigaction, signals_.size()> former_{};
};

} // namespace rahat::ctl
