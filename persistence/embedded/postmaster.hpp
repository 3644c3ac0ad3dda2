#pragma once

#include <sys/types.h>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rahat {

/// What a running (or killed) server left in `<cluster>/postmaster.pid`.
struct postmaster_file {
  pid_t pid = 0;
  std::filesystem::path cluster;
  int port = 0;
  std::filesystem::path socket_folder;
  std::string status; // "ready" when it takes connections
};

std::optional<postmaster_file> read_postmaster_file(const std::filesystem::path& cluster);

/// True when process `pid` is the server of `cluster`: its command line names both. Process ids are
/// used again, so a living process alone proves nothing.
bool is_postmaster_of(pid_t pid, const std::filesystem::path& cluster);

/// True when that server was started by a rahatd (its command line carries `cluster_mark`), so that
/// a rahatd may stop it.
bool was_started_by_rahat(pid_t pid);

/// Processes that work in `cluster`, the postmaster among them: what a killed postmaster leaves for
/// a moment. May miss some where /proc hides other users' processes; Postgres' own check for shared
/// memory in use stands behind it.
std::vector<pid_t> processes_in(const std::filesystem::path& cluster);

/// The number that initdb gave the cluster, read from its control file without a server.
std::optional<std::uint64_t> system_identifier_of(const std::filesystem::path& cluster);

/// Watches one process, a child or not, without races with reused process ids (pidfd).
class process_watch {
public:
  process_watch() = default;
  explicit process_watch(pid_t pid);
  ~process_watch();

  process_watch(process_watch&& other) noexcept;
  process_watch& operator=(process_watch&& other) noexcept;

  pid_t pid() const { return pid_; }
  /// False once it has ended; then also reaps it if it was our child.
  bool alive();
  /// Sends a signal to exactly that process.
  void signal(int number);
  /// Waits until it has ended; false when the limit passed first.
  bool wait_end(int limit_ms);

private:
  pid_t pid_ = 0;
  int fd_ = -1;
};

} // namespace rahat
