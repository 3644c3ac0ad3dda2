#pragma once

#include "tests/support/pg_fixture.hpp"

#include <sys/types.h>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rahat::test {

/// How a program ended that was run to its end.
struct program_end {
  int exit_code = -1; // 128 + n: by signal n; -1: it did not end in time and was killed
  std::string output; // stdout and stderr
};

/// Runs `rahatd` with these flags until it ends by itself, at most `limit`.
program_end run_rahatd(const std::vector<std::string>& flags,
                       std::chrono::seconds limit = std::chrono::seconds{60});

/// The real `rahatd` in a data folder of its own, on free ports. Killed with its Postgres, and the
/// folder removed, when the object goes or the test process ends in whatever way. One thread; the
/// ports may be read by others meanwhile.
class node_process {
public:
  /// Does not start it yet. `flags` go to every start, after those for the folder and the ports.
  explicit node_process(std::vector<std::string> flags = {});
  ~node_process();
  node_process(const node_process&) = delete;
  node_process& operator=(const node_process&) = delete;

  /// Another build of `rahatd` from the next start on.
  void use_program(std::string file) { program_ = std::move(file); }

  /// From the next start on it runs in this network namespace (a descriptor that stays open) and
  /// listens on this IPv4 address of it.
  void place_in(int space, std::string address);

  /// Starts it on the data that is there and waits until it says that it is ready. Throws
  /// std::runtime_error with the end of its log when it does not.
  void start();

  /// SIGTERM; waits and returns its exit code, 128 + n when a signal n ended it.
  int stop();
  void send_signal(int number);
  /// Waits for its end after a signal; the exit code as above.
  int wait_end();

  void kill_hard();     // SIGKILL
  void freeze();        // SIGSTOP, and back only after it has stopped
  void thaw();          // SIGCONT
  bool running() const; // it has not ended

  /// The embedded server's process as its folder names it, 0 when there is none.
  pid_t postmaster() const;
  /// SIGKILL of the postmaster; with `children` of every process of the cluster.
  void kill_postgres(bool children);
  /// SIGSTOP or SIGCONT for every process of the cluster.
  void freeze_postgres();
  void thaw_postgres();

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  std::uint16_t internal_port() const { return internal_port_; }
  const std::filesystem::path& data() const { return data_; }
  const scratch_folder& scratch() const { return scratch_; }

  std::string admin_token() const;

  /// Connection strings of the embedded database: superuser, the tables' owner, the node's role.
  std::string admin_conninfo() const;
  std::string owner_conninfo() const;
  std::string service_conninfo() const;

  const std::filesystem::path& log_file() const { return log_; }

  /// The last lines of its log.
  std::string log_tail(std::size_t lines = 30) const;
  /// How often the log holds this text.
  std::size_t count_in_log(std::string_view text) const;

  std::vector<std::string> start_flags() const;

private:
  void read_ready_text(int from);
  std::string conninfo_of(const std::string& role) const;

  scratch_folder scratch_;
  std::filesystem::path data_;
  std::filesystem::path log_;
  std::vector<std::string> flags_;
  std::string program_; // empty: rahatd
  int space_ = -1;      // its network namespace; -1: the test's
  std::string address_; // in there; empty: 127.0.0.1
  pid_t pid_ = -1;
  std::atomic<std::uint16_t> port_{0};
  std::atomic<std::uint16_t> internal_port_{0};
};

} // namespace rahat::test
