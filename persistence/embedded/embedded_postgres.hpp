#pragma once

#include "persistence/embedded/account.hpp"
#include "persistence/embedded/cluster_settings.hpp"
#include "persistence/embedded/data_folder.hpp"
#include "persistence/embedded/errors.hpp"
#include "persistence/embedded/postmaster.hpp"
#include "persistence/embedded/programs.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rahat {

struct embedded_options {
  cluster_tuning tuning;
  std::string database = "rahat";
  /// How long one start may take, crash recovery included, before start() gives up waiting. The
  /// server is left to go on recovering and is adopted by the next start.
  std::chrono::milliseconds start_limit = std::chrono::minutes{10};
  /// How long a fast shutdown may take before the server is told to stop at once.
  std::chrono::milliseconds stop_limit = std::chrono::seconds{60};
  /// The Postgres installations to choose from; empty: search this machine.
  std::vector<postgres_programs> installed;
};

/// What ensure_running() found.
enum class server_state {
  running,   // nothing had to be done
  restarted, // it had died and is back: connections are to be made anew
  waiting,   // it is down and its next start is not due yet, or has just failed (last_error())
};

/// A private Postgres server in `<data>/postgres` for a node without `database.url`.
///
/// Only its socket (folder 0700) leads to it, with generated SCRAM passwords. It outlives a crash
/// of the node: the next start adopts it. It is stopped by stop() alone; the destructor leaves it
/// running, so that a node that dies of an exception behaves like one that was killed.
/// Protocol and folder: docs/protocols/embedded_postgres.md.
///
/// start, ensure_running and stop are called by one supervising thread; the connection strings may
/// be read by any thread after start().
class embedded_postgres {
public:
  /// Told of each step: an event name and a detail, both for the log.
  using log_function = std::function<void(std::string_view event, std::string detail)>;

  /// `folder` must outlive this object.
  embedded_postgres(data_folder& folder, embedded_options options, log_function log);

  /// Brings the server up: makes the cluster at the first start, adopts one that runs, starts it
  /// otherwise; then makes the roles and the (empty) database. Throws embedded_error or role_error.
  void start();

  /// Restarts a server that died, with growing pauses between attempts (0.2 s to 30 s) and without
  /// blocking through the pause; the start itself blocks, as long as crash recovery takes. Cheap
  /// while it runs: call it some times a second. Never throws for a failed start: that is
  /// `waiting`.
  server_state ensure_running();

  /// Stops the server unless an operator started it by hand. Does nothing when it does not run.
  void stop();

  /// True when start() found the server running.
  bool adopted() const { return adopted_; }
  pid_t server_pid() const { return server_.pid(); }
  const std::string& last_error() const { return last_error_; }
  const std::filesystem::path& socket_folder() const { return socket_folder_; }
  const std::filesystem::path& cluster() const { return cluster_; }

  /// For migrations (rahat_owner), for the node (rahat_service), for the search projection
  /// (rahat_persons), and the superuser's, for creating databases in tests and for upgrades.
  std::string owner_conninfo() const;
  std::string service_conninfo() const;
  std::string persons_conninfo() const;
  std::string admin_conninfo(const std::string& database = "postgres") const;

private:
  using steady = std::chrono::steady_clock;

  void check_way_in() const;
  void create_cluster();
  void write_settings() const;
  void bring_up();
  bool adopt(steady::time_point deadline);
  void verify(steady::time_point deadline);
  void clear_leftovers();
  void run_server(steady::time_point deadline);
  bool wait_ready(steady::time_point deadline);
  void make_roles();
  std::string log_tail() const;
  std::filesystem::path current_log() const;
  std::string conninfo_of(const std::string& user, const std::string& secret,
                          const std::string& database) const;
  void say(std::string_view event, std::string detail) const;

  data_folder& folder_;
  embedded_options options_;
  log_function log_;
  os_account account_;
  std::filesystem::path cluster_;
  std::filesystem::path log_folder_;
  std::filesystem::path socket_folder_;
  postgres_programs programs_;
  process_watch server_;
  bool adopted_ = false;
  bool down_ = false;
  int port_ = 5432;
  std::size_t log_size_at_start_ = 0;
  int failures_ = 0;
  steady::time_point up_since_{};
  steady::time_point next_try_{};
  std::string last_error_;
  std::string admin_secret_, owner_secret_, service_secret_, persons_secret_;
};

} // namespace rahat
