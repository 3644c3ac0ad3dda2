#include "tests/cluster/second_server.hpp"

#include "persistence/embedded/child.hpp"
#include "persistence/embedded/conninfo.hpp"
#include "tests/support/eventually.hpp"

#include <csignal>
#include <fstream>
#include <pqxx/pqxx>
#include <stdexcept>

namespace rahat::test {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

constexpr auto copy_limit = 120s;
constexpr auto socket_name = ".s.PGSQL.5432";

pqxx::row ask(const std::string& conninfo, const std::string& sql) {
  pqxx::connection c{conninfo};
  pqxx::nontransaction work{c};
  return work.exec1(sql);
}

void append(const fs::path& file, const std::string& text) {
  std::ofstream out{file, std::ios::app};
  out << text;
  if (!out.flush())
    throw std::runtime_error("cannot write " + file.string());
}

} // namespace

second_server::second_server(const cluster_process& cluster, role as)
    : primary_(cluster.admin_conninfo()) {
  primary_data_ = ask(primary_, "SHOW data_directory")[0].c_str();
  primary_socket_ = parse_conninfo(primary_)["host"];
  programs_ = choose_postgres(primary_data_, installed_postgres());
  folder_ = cluster.scratch().path() / "second";
  data_ = folder_ / "postgres"; // where the scratch folder looks for servers
  socket_ = folder_ / "socket";
  for (const auto& f : {folder_, data_, socket_})
    own_folder(f, account_.uid, account_.gid, 0700);
  append(primary_data_ / "pg_hba.conf", "local replication all scram-sha-256\n");
  ask(primary_, "SELECT pg_reload_conf()");
  const auto from = with_field(primary_, "application_name", "second");
  std::vector<std::string> copy{programs_.program("pg_basebackup").string(),
                                "--pgdata",
                                data_.string(),
                                "--dbname",
                                from,
                                "--wal-method",
                                "stream",
                                "--checkpoint",
                                "fast"};
  if (as == role::standby)
    copy.push_back("--write-recovery-conf");
  run(std::move(copy));
  append(data_ / "local.conf", "unix_socket_directories = '" + socket_.string() +
                                   "'\nlog_directory = '" + folder_.string() + "'\n");
  if (as == role::standby)
    start();
}

void second_server::run(std::vector<std::string> argv) const {
  const auto program = argv.front();
  const auto done = run_program(argv, account_, copy_limit);
  if (done.exit_code != 0)
    throw std::runtime_error(program + " ended with " + std::to_string(done.exit_code) + ": " +
                             done.output);
}

void second_server::start() const {
  run({programs_.program("pg_ctl").string(), "-D", data_.string(), "-l",
       (folder_ / "start.log").string(), "-w", "start"});
}

void second_server::wait_caught_up() const {
  await("the standby has replayed everything", [this] {
    return ask(primary_,
               "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >="
               " pg_current_wal_lsn()")[0]
               .as<int>() == 1;
  });
}

void second_server::make_synchronous() const {
  pqxx::connection c{primary_};
  pqxx::nontransaction work{c};
  work.exec0("ALTER SYSTEM SET synchronous_standby_names = '*'");
  work.exec1("SELECT pg_reload_conf()");
  await("the standby is synchronous", [&] {
    return work.exec1("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")[0]
               .as<int>() == 1;
  });
}

void second_server::kill_primary() {
  const auto pid_file = primary_data_ / "postmaster.pid";
  pid_t pid = 0;
  std::ifstream{pid_file} >> pid;
  if (pid <= 1)
    throw std::runtime_error("no server in " + primary_data_.string());
  ::kill(pid, SIGQUIT); // every backend exits where it stands; nothing is flushed
  await("the primary is gone", [&] { return !fs::exists(pid_file); });
}

void second_server::promote() {
  run({programs_.program("pg_ctl").string(), "-D", data_.string(), "-w", "promote"});
}

void second_server::restore() {
  append(data_ / "local.conf", "restore_command = 'false'\n"); // there is no archive
  std::ofstream{data_ / "recovery.signal"};
  start();
  await("the recovery is over", [this] {
    return !ask(with_field(primary_, "host", socket_.string()), "SELECT pg_is_in_recovery()")[0]
                .as<bool>();
  });
}

void second_server::take_address() const {
  const auto address = primary_socket_ / socket_name;
  fs::remove(address);
  fs::create_symlink(socket_ / socket_name, address);
}

std::string second_server::either(const std::string& primary_conninfo) const {
  return with_field(
      with_field(primary_conninfo, "host", primary_socket_.string() + "," + socket_.string()),
      "target_session_attrs", "read-write");
}

} // namespace rahat::test
