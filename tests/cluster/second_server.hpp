#pragma once

#include "persistence/embedded/account.hpp"
#include "persistence/embedded/programs.hpp"
#include "tests/support/cluster/cluster_process.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace rahat::test {

/// A copy of a cluster's Postgres: a streaming standby, or a base backup to be restored. Made by
/// `pg_basebackup` from the running primary; takes the primary's place by its address (the socket
/// that every connection string names), as a moved virtual address does. Stopped with the cluster's
/// scratch folder. One thread.
class second_server {
public:
  enum class role {
    standby, // follows the primary from now on
    backup,  // is not started before `restore`
  };

  second_server(const cluster_process& cluster, role as);

  /// All that the primary has written has been replayed here.
  void wait_caught_up() const;

  /// From now on the primary answers a commit when it stands here as well.
  void make_synchronous() const;

  /// The primary dies at once, as its machine would, and no process of it is left.
  void kill_primary();

  /// Standby: becomes a primary of its own, on a new timeline.
  void promote();

  /// Backup: starts with recovery of the WAL that came with it, which ends on a new timeline.
  void restore();

  /// Connections to the primary's address come here.
  void take_address() const;

  /// A connection string's text with this server as the second host, for clients that look for
  /// whichever can be written.
  std::string either(const std::string& primary_conninfo) const;

private:
  void run(std::vector<std::string> argv) const;
  void start() const;

  const os_account account_ = server_account();
  std::string primary_; // superuser's connection string
  std::filesystem::path primary_data_;
  std::filesystem::path primary_socket_; // the folder
  std::filesystem::path folder_;         // ours
  std::filesystem::path data_;
  std::filesystem::path socket_;
  postgres_programs programs_;
};

} // namespace rahat::test
