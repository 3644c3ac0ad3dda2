#pragma once

#include <sys/types.h>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What the system says of processes, and running some.
namespace rahat::bench {

/// CPU seconds of a process and all its descendants, those included that have ended and were
/// waited for by `root` itself.
double cpu_seconds(pid_t root);

/// CPU seconds of one process with all its threads, without its children.
double own_cpu_seconds(pid_t pid);

/// Proportional set size of a process and all its descendants in bytes: shared pages count in
/// parts, so that Postgres' shared buffers count once.
double pss_bytes(pid_t root);

/// Runs a program to its end and gives what it printed, standard error included. Throws
/// std::runtime_error with that text when it cannot run or ends with another code than 0. `extra`
/// is added to the environment.
std::string output_of(const std::vector<std::string>& argv,
                      const std::vector<std::pair<std::string, std::string>>& extra = {});

/// Starts a program that runs beside us; with `log`, whatever it prints is added to that file.
pid_t start(const std::vector<std::string>& argv, const std::string& log = {});

/// A signal and wait; its exit code, 128 + n when a signal n ended it.
int end(pid_t child, int signal = SIGTERM);

/// The exit code of a child that has ended, as above; nothing while it runs.
std::optional<int> ended(pid_t child);

/// Processes that Ctrl-C ends before it ends us: they run in sessions of their own.
void remember_child(pid_t child);
void forget_child(pid_t child);

/// A program by name: in `folder` if given and there, else in PATH or the usual folders of
/// daemons. Throws std::runtime_error that says what to install.
std::string find_program(const std::string& name, const std::string& package,
                         const std::string& folder = {});

/// A TCP port of 127.0.0.1 that was free a moment ago.
int free_port();

/// A fresh folder that other users may pass; whoever makes it removes it.
std::string make_folder(const std::string& name);

} // namespace rahat::bench
