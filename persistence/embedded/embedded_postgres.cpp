#include "persistence/embedded/embedded_postgres.hpp"

#include "persistence/embedded/child.hpp"
#include "persistence/embedded/conninfo.hpp"
#include "persistence/embedded/socket_folder.hpp"
#include "persistence/migrate/roles.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <pqxx/pqxx>

namespace rahat {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr const char* admin_user = "rahat_admin";
constexpr const char* socket_names[] = {".s.PGSQL.5432", ".s.PGSQL.5432.lock"};
constexpr auto initdb_limit = 5min;
constexpr auto poll_pause_ms = 20;
constexpr auto report_every = 5s;
/// Backends of a killed postmaster end by themselves at their next wait; one that computes is told.
constexpr auto leftovers_patience = 3s;
constexpr auto leftovers_limit = 30s;
constexpr auto first_backoff = 200ms;
constexpr auto longest_backoff = 30'000ms;
/// A server that ran this long was well: the next failure starts the pauses from the beginning.
constexpr auto well_after = 60s;

void pause() {
  poll(nullptr, 0, poll_pause_ms);
}

void remove_rest(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error)
    throw embedded_error{"cannot remove " + path.string() + ": " + error.message()};
}

std::string last_part(const std::string& text) {
  constexpr std::size_t most = 1000;
  return text.size() > most ? "..." + text.substr(text.size() - most) : text;
}

/// The first restart is immediate; the pauses before the next ones double.
std::chrono::milliseconds pause_after(int failures) {
  if (failures == 0)
    return 0ms;
  return std::min<std::chrono::milliseconds>(first_backoff * (1 << std::min(failures - 1, 10)),
                                             longest_backoff);
}

/// A file that the server's account may read for a moment: initdb wants the password in one.
class password_file {
public:
  password_file(fs::path path, const std::string& secret, const os_account& account)
      : path_(std::move(path)) {
    unlink(path_.c_str());
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool made =
        fd >= 0 && fchown(fd, account.uid, account.gid) == 0 &&
        write(fd, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size());
    if (fd >= 0)
      close(fd);
    if (!made)
      throw embedded_error{"cannot write " + path_.string() + ": " + std::strerror(errno)};
  }

  ~password_file() { unlink(path_.c_str()); }

  password_file(const password_file&) = delete;
  password_file& operator=(const password_file&) = delete;

private:
  fs::path path_;
};

/// Tells a process to stop at once if it is a Postgres and not, say, somebody's shell.
void end_backend(pid_t pid) {
  process_watch process{pid};
  std::error_code hidden;
  const auto program = fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", hidden);
  if (!hidden && program.filename() == "postgres")
    process.signal(SIGQUIT);
}

/// Rewrites a file of the cluster in place, which keeps its owner.
void rewrite(const fs::path& file, const std::string& text, const os_account& account) {
  std::ofstream out{file, std::ios::trunc};
  out << text;
  out.flush();
  if (!out || chmod(file.c_str(), 0600) != 0 || chown(file.c_str(), account.uid, account.gid) != 0)
    throw embedded_error{"cannot write " + file.string() + ": " + std::strerror(errno)};
}

} // namespace

embedded_postgres::embedded_postgres(data_folder& folder, embedded_options options,
                                     log_function log)
    : folder_(folder),
      options_(std::move(options)),
      log_(std::move(log)),
      account_(server_account()),
      cluster_(folder.path() / "postgres"),
      log_folder_(folder.path() / "log") {}

void embedded_postgres::say(std::string_view event, std::string detail) const {
  if (log_)
    log_(event, std::move(detail));
}

void embedded_postgres::start() {
  check_way_in();
  own_folder(log_folder_, account_.uid, account_.gid, 0700);
  socket_folder_ = make_socket_folder(folder_.path(), account_);
  if (socket_folder_.parent_path() != folder_.path())
    say("socket_folder",
        "the data folder's path is too long for a socket; it is in " + socket_folder_.string());
  const auto& given = options_.installed;
  programs_ = choose_postgres(cluster_, given.empty() ? installed_postgres() : given);
  if (!cluster_version(cluster_))
    create_cluster();
  else if (!folder_.has_secret(admin_user))
    throw embedded_error{"the cluster in " + cluster_.string() + " is there but its secret " +
                         (folder_.path() / "secrets" / admin_user).string() +
                         " is not: put the folder `secrets` back from a backup"};
  admin_secret_ = folder_.secret(admin_user);
  owner_secret_ = folder_.secret(owner_role);
  service_secret_ = folder_.secret(service_role);
  persons_secret_ = folder_.secret(persons_role);
  bring_up();
  make_roles();
}

void embedded_postgres::check_way_in() const {
  // The data folder itself is ours to open; the folders above it are not.
  if (account_.is_other && chmod(folder_.path().c_str(), 0711) != 0)
    throw embedded_error{"cannot let user " + account_.name + " pass " + folder_.path().string() +
                         ": " + std::strerror(errno)};
  const auto closed = first_closed_folder(folder_.path(), account_);
  if (!closed.empty()) {
    throw embedded_error{"Postgres runs as user `" + account_.name +
                         "`, who may not pass the "
                         "folder " +
                         closed.string() +
                         ": use a data folder elsewhere (for "
                         "example /var/lib/rahat), or start rahatd as a user that owns its folder"};
  }
}

void embedded_postgres::create_cluster() {
  auto fresh = cluster_;
  fresh += ".new";
  remove_rest(fresh); // an initdb that was killed
  if (fs::exists(cluster_) && !fs::is_empty(cluster_))
    throw embedded_error{"the folder " + cluster_.string() +
                         " holds no Postgres cluster but other "
                         "files: move them away, or use another data folder"};
  say("cluster_create", "making a PostgreSQL " + std::to_string(programs_.major) + " cluster in " +
                            cluster_.string());
  own_folder(fresh, account_.uid, account_.gid, 0700);
  auto secret_path = folder_.path() / "postgres.secret";
  password_file secret{secret_path, folder_.secret(admin_user) + "\n", account_};
  std::vector<std::string> argv{programs_.program("initdb").string(),
                                "-D",
                                fresh.string(),
                                "-U",
                                admin_user,
                                "--pwfile",
                                secret_path.string(),
                                "-A",
                                "scram-sha-256",
                                "-E",
                                "UTF8",
                                "--locale=C.UTF-8",
                                "--data-checksums",
                                "--no-instructions"};
  if (!options_.tuning.durable)
    argv.push_back("--no-sync");
  const auto made = run_program(argv, account_, initdb_limit);
  if (made.exit_code != 0)
    throw embedded_error{"initdb could not make a cluster in " + fresh.string() + ": " +
                         (made.timed_out ? "it took longer than 5 minutes" : made.output)};
  {
    std::ofstream out{fresh / "postgresql.conf", std::ios::app};
    out << include_text();
    if (!out.flush())
      throw embedded_error{"cannot write " + (fresh / "postgresql.conf").string()};
  }
  if (rename(fresh.c_str(), cluster_.c_str()) != 0)
    throw embedded_error{"cannot put the new cluster in place: " + std::string{strerror(errno)}};
}

void embedded_postgres::write_settings() const {
  rewrite(cluster_ / "rahat.conf", settings_text(options_.tuning, socket_folder_, log_folder_),
          account_);
  rewrite(cluster_ / "pg_hba.conf", hba_text(), account_);
  // A cluster that pg_upgrade made has a postgresql.conf of its own.
  const auto main = cluster_ / "postgresql.conf";
  const auto text = read_small_file(main);
  if (text.find(include_text()) == std::string::npos)
    rewrite(main, text + include_text(), account_);
}

void embedded_postgres::bring_up() {
  const auto deadline = steady::now() + options_.start_limit;
  adopted_ = adopt(deadline);
  if (!adopted_) {
    clear_leftovers();
    write_settings();
    run_server(deadline);
  }
  verify(deadline);
  up_since_ = steady::now();
  say(adopted_ ? "postgres_adopted" : "postgres_started",
      "process " + std::to_string(server_.pid()) + ", socket in " + socket_folder_.string());
}

bool embedded_postgres::adopt(steady::time_point deadline) {
  const auto file = read_postmaster_file(cluster_);
  if (!file || !is_postmaster_of(file->pid, cluster_))
    return false;
  server_ = process_watch{file->pid};
  say("postgres_found", "process " + std::to_string(file->pid) + " already serves the cluster");
  if (!wait_ready(deadline))
    return false; // it was on its way down and is gone now
  const auto now = read_postmaster_file(cluster_);
  socket_folder_ = now ? now->socket_folder : file->socket_folder;
  port_ = now ? now->port : file->port;
  return true;
}

/// True when the watched server takes connections, false when it has ended.
bool embedded_postgres::wait_ready(steady::time_point deadline) {
  auto next_report = steady::now() + report_every;
  while (server_.alive()) {
    const auto file = read_postmaster_file(cluster_);
    if (file && file->pid == server_.pid() && file->status == "ready")
      return true;
    const auto now = steady::now();
    if (now >= deadline)
      throw embedded_error{"Postgres (process " + std::to_string(server_.pid()) +
                           ") does not take "
                           "connections yet; it may still be recovering: look at its log in " +
                           log_folder_.string() + " and start rahatd again"};
    if (now >= next_report) {
      say("postgres_wait", "waiting for process " + std::to_string(server_.pid()) +
                               " to take connections" + (file ? " (" + file->status + ")" : ""));
      next_report = now + report_every;
    }
    pause();
  }
  return false;
}

/// Proves that what answers on the socket is our cluster and not another server.
void embedded_postgres::verify(steady::time_point deadline) {
  const auto expected = system_identifier_of(cluster_);
  for (;;) {
    try {
      pqxx::connection admin{with_field(admin_conninfo(), "connect_timeout", "5")};
      pqxx::nontransaction work{admin};
      const auto row = work.exec1(
          "SELECT system_identifier, current_setting('data_directory')"
          " FROM pg_control_system()");
      if (expected && row[0].as<std::uint64_t>() == *expected)
        return;
      throw embedded_error{"another Postgres (data folder " + std::string{row[1].c_str()} +
                           ") answers on the socket in " + socket_folder_.string() +
                           ": stop it, or use another data folder"};
    } catch (const pqxx::failure& error) {
      if (!server_.alive() || steady::now() >= deadline)
        throw embedded_error{"Postgres runs in " + cluster_.string() +
                             " but refuses rahatd: " + error.what() + log_tail()};
    }
    pause();
  }
}

/// Waits until nothing of a killed server is left, so that two never write one cluster.
void embedded_postgres::clear_leftovers() {
  const auto begin = steady::now();
  bool told = false;
  for (auto left = processes_in(cluster_); !left.empty(); left = processes_in(cluster_)) {
    const auto waited = steady::now() - begin;
    if (waited >= leftovers_limit)
      throw embedded_error{"process " + std::to_string(left.front()) +
                           " of a killed Postgres "
                           "still works in " +
                           cluster_.string() + ": end it and start again"};
    if (waited >= leftovers_patience && !told) {
      say("postgres_leftovers", std::to_string(left.size()) + " processes of a killed server");
      for (const auto pid : left)
        end_backend(pid);
      told = true;
    }
    pause();
  }
  // A process id that belongs to somebody else by now, or to a dead server that nobody has reaped:
  // Postgres sees a living process and refuses to start. What its shared memory is still in use by,
  // it finds by the folder itself and not by this file.
  const auto file = read_postmaster_file(cluster_);
  if (file && kill(file->pid, 0) == 0 && !is_postmaster_of(file->pid, cluster_)) {
    say("postgres_stale_pid", "process " + std::to_string(file->pid) + " is no Postgres now");
    unlink((cluster_ / "postmaster.pid").c_str());
  }
  // The same for the socket's own lock file: the folder is this cluster's alone.
  for (const char* name : socket_names)
    unlink((socket_folder_ / name).c_str());
}

void embedded_postgres::run_server(steady::time_point deadline) {
  const auto start_log = log_folder_ / "postgres-start.log";
  const auto give_up = steady::now() + leftovers_limit;
  std::error_code none_yet;
  const auto size = fs::file_size(current_log(), none_yet);
  log_size_at_start_ = none_yet ? 0 : size;
  for (;;) {
    const int log_fd =
        open(start_log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log_fd < 0)
      throw embedded_error{"cannot write " + start_log.string() + ": " + std::strerror(errno)};
    pid_t pid = 0;
    try {
      pid = spawn_program(
          {programs_.program("postgres").string(), "-D", cluster_.string(), "-c", cluster_mark},
          account_, log_fd);
    } catch (...) {
      close(log_fd);
      throw;
    }
    close(log_fd);
    server_ = process_watch{pid};
    port_ = 5432;
    if (wait_ready(deadline))
      return;
    const auto said = read_small_file(start_log);
    const bool leftovers = said.find("pre-existing shared memory block") != std::string::npos;
    if (!leftovers || steady::now() >= give_up)
      throw embedded_error{"Postgres did not start:" + log_tail()};
    pause();
  }
}

void embedded_postgres::make_roles() {
  ensure_roles(admin_conninfo(), {owner_secret_, service_secret_, persons_secret_});
  ensure_database(admin_conninfo(), options_.database);
}

server_state embedded_postgres::ensure_running() {
  if (server_.alive())
    return server_state::running;
  const auto now = steady::now();
  if (!down_) {
    down_ = true;
    if (now - up_since_ >= well_after)
      failures_ = 0;
    next_try_ = now + pause_after(failures_);
    say("postgres_died", "process " + std::to_string(server_.pid()) + " has ended");
  }
  if (now < next_try_)
    return server_state::waiting;
  ++failures_;
  try {
    bring_up();
    down_ = false;
    last_error_.clear();
    return server_state::restarted;
  } catch (const std::exception& error) {
    last_error_ = error.what();
    next_try_ = steady::now() + pause_after(failures_);
    say("postgres_start_failed", last_error_);
    return server_state::waiting;
  }
}

void embedded_postgres::stop() {
  if (!server_.alive())
    return;
  if (!was_started_by_rahat(server_.pid())) {
    say("postgres_left", "process " + std::to_string(server_.pid()) + " was started by hand");
    return;
  }
  server_.signal(SIGINT); // fast shutdown: sessions are ended, a checkpoint is written
  if (!server_.wait_end(static_cast<int>(options_.stop_limit.count()))) {
    say("postgres_stop_slow", "the fast shutdown took too long; stopping at once");
    server_.signal(SIGQUIT);
    if (!server_.wait_end(static_cast<int>(options_.stop_limit.count())))
      throw embedded_error{"Postgres (process " + std::to_string(server_.pid()) +
                           ") does not stop; its log is in " + log_folder_.string()};
  }
  say("postgres_stopped", cluster_.string());
}

/// What the server said since the last start, for an error's message: first the log's end, then
/// what it said before it opened its log.
std::string embedded_postgres::log_tail() const {
  const auto log = current_log();
  auto text = read_small_file(log);
  text = text.size() > log_size_at_start_ ? text.substr(log_size_at_start_) : "";
  return "\n" + last_part(text) + last_part(read_small_file(log_folder_ / "postgres-start.log"));
}

/// The file that the server's logger writes now; empty before its first start.
fs::path embedded_postgres::current_log() const {
  const auto text = read_small_file(cluster_ / "current_logfiles"); // "stderr /path/name\n"
  const auto at = text.find('/');
  return at == std::string::npos ? fs::path{} : fs::path{text.substr(at, text.find('\n') - at)};
}

std::string embedded_postgres::conninfo_of(const std::string& user, const std::string& secret,
                                           const std::string& database) const {
  return conninfo({{"host", socket_folder_.string()},
                   {"port", std::to_string(port_)},
                   {"dbname", database},
                   {"user", user},
                   {"password", secret}});
}

std::string embedded_postgres::owner_conninfo() const {
  return conninfo_of(owner_role, owner_secret_, options_.database);
}

std::string embedded_postgres::service_conninfo() const {
  return conninfo_of(service_role, service_secret_, options_.database);
}

std::string embedded_postgres::persons_conninfo() const {
  return conninfo_of(persons_role, persons_secret_, options_.database);
}

std::string embedded_postgres::admin_conninfo(const std::string& database) const {
  return conninfo_of(admin_user, admin_secret_, database);
}

} // namespace rahat
