#pragma once

#include "persistence/embedded/account.hpp"

#include <sys/types.h>
#include <chrono>
#include <string>
#include <vector>

namespace rahat {

/// What a program that has ended said.
struct program_result {
  int exit_code = -1; // -1: ended by a signal or by the time limit
  std::string output; // stdout and stderr together, the first 64 KiB
  bool timed_out = false;
};

/// Runs a program to its end under the account, with an environment of our own (no PG* variables,
/// C.UTF-8, UTC). Kills it after `limit`. Blocks the calling thread.
program_result run_program(const std::vector<std::string>& argv, const os_account& account,
                           std::chrono::milliseconds limit);

/// Starts a program in a session of its own, so that a Ctrl-C in the terminal reaches only us, and
/// does not wait for it. Output goes to `log_fd`. The caller reaps the returned process id.
pid_t spawn_program(const std::vector<std::string>& argv, const os_account& account, int log_fd);

} // namespace rahat
