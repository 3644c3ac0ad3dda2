#include "persistence/embedded/embedded_postgres.hpp"

#include "persistence/embedded/child.hpp"
#include "persistence/embedded/conninfo.hpp"
#include "persistence/embedded/socket_folder.hpp"
#include "persistence/embedded/spare_log.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/pg_fixture.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <fstream>
#include <pqxx/pqxx>

namespace {

using namespace rahat;
using namespace std::chrono_literals;
using test::eventually;
using testing::HasSubstr;
namespace fs = std::filesystem;

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "(nothing was refused)";
}

std::string ask(const std::string& conninfo, const std::string& sql) {
  pqxx::connection connection{conninfo};
  pqxx::nontransaction work{connection};
  return work.exec1(sql)[0].c_str();
}

/// Ended, whether or not its parent has noticed.
bool is_gone(pid_t pid) {
  return !process_watch{pid}.alive();
}

mode_t mode_of(const fs::path& path) {
  struct stat seen {};
  EXPECT_EQ(lstat(path.c_str(), &seen), 0) << path;
  return seen.st_mode & 07777;
}

/// A cluster is made once; each test works on a copy of it in a folder of its own.
class embedded : public testing::Test {
protected:
  static void SetUpTestSuite() {
    scratch = new test::scratch_folder;
    data_folder folder{scratch->path() / "golden"};
    embedded_postgres server{folder, test::small_server(), {}};
    server.start();
    server.stop();
  }

  static void TearDownTestSuite() {
    delete scratch;
    scratch = nullptr;
  }

  void SetUp() override {
    data = scratch->path() / std::to_string(++copies); // short: a socket's path has to fit
    copy_golden(data);
  }

  static void copy_golden(const fs::path& to) {
    const auto command =
        "cp -a '" + (scratch->path() / "golden").string() + "' '" + to.string() + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  embedded_postgres::log_function log() {
    return [this](std::string_view event, std::string) { events.emplace_back(event); };
  }

  /// Lets another process start the server and dies there by kill -9, like a rahatd that crashed.
  pid_t start_and_kill_the_node() {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    const auto node = fork();
    if (node == 0) {
      data_folder folder{data};
      embedded_postgres server{folder, test::small_server(), {}};
      server.start();
      const auto pid = server.server_pid();
      [[maybe_unused]] auto n = write(ready[1], &pid, sizeof pid);
      for (;;)
        pause();
    }
    pid_t server = 0;
    close(ready[1]);
    EXPECT_EQ(read(ready[0], &server, sizeof server), static_cast<ssize_t>(sizeof server));
    close(ready[0]);
    kill(node, SIGKILL);
    waitpid(node, nullptr, 0);
    return server;
  }

  static inline test::scratch_folder* scratch = nullptr;
  static inline int copies = 0;
  fs::path data;
  std::vector<std::string> events;
};

TEST_F(embedded, a_first_start_makes_a_private_cluster_with_checksums_in_utf8) {
  const auto fresh = scratch->path() / "fresh";
  data_folder folder{fresh};
  embedded_postgres server{folder, {}, log()}; // as in production
  server.start();
  EXPECT_FALSE(server.adopted());
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW data_checksums"), "on");
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW server_encoding"), "UTF8");
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW lc_collate"), "C.UTF-8");
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW listen_addresses"), "");
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW fsync"), "on");
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW max_wal_size"), "4GB");
  EXPECT_EQ(ask(server.service_conninfo(), "SHOW synchronous_commit"), "on");
  EXPECT_EQ(ask(server.service_conninfo(), "SELECT current_user"), "rahat_service");
  EXPECT_EQ(ask(server.owner_conninfo(), "SELECT current_user"), "rahat_owner");
  EXPECT_EQ(ask(server.persons_conninfo(), "SELECT current_user"), "rahat_persons");
  EXPECT_EQ(mode_of(server.socket_folder()), 0700);
  EXPECT_EQ(mode_of(fresh / "secrets"), 0700);
  for (const auto& secret : fs::directory_iterator{fresh / "secrets"})
    EXPECT_EQ(mode_of(secret.path()), 0600) << secret.path();
  EXPECT_FALSE(fs::exists(fresh / "postgres.secret"));
  server.stop();
}

TEST_F(embedded, nobody_comes_in_without_the_password) {
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  for (const char* user : {"rahat_service", "rahat_owner", "rahat_admin"}) {
    auto fields = parse_conninfo(server.service_conninfo());
    fields["user"] = user;
    fields["password"] = "guess";
    EXPECT_THAT(refusal([&] { pqxx::connection{conninfo(fields)}; }),
                HasSubstr("password authentication failed"));
  }
  server.stop();
}

TEST_F(embedded, a_second_node_on_the_folder_is_told_who_holds_it) {
  data_folder folder{data};
  EXPECT_THAT(refusal([&] { data_folder second{data}; }),
              HasSubstr("in use by process " + std::to_string(getpid())));
}

TEST_F(embedded, an_orderly_stop_ends_the_server_and_a_start_brings_the_data_back) {
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  {
    pqxx::connection owner{server.owner_conninfo()};
    pqxx::nontransaction{owner}.exec0("CREATE TABLE kept AS SELECT 42 AS n");
  }
  const auto pid = server.server_pid();
  server.stop();
  EXPECT_TRUE(is_gone(pid));
  EXPECT_FALSE(fs::exists(data / "postgres" / "postmaster.pid"));
  server.start();
  EXPECT_EQ(ask(server.owner_conninfo(), "SELECT n FROM kept"), "42");
  server.stop();
}

TEST_F(embedded, a_killed_postmaster_is_restarted_and_committed_rows_are_there) {
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  EXPECT_EQ(server.ensure_running(), server_state::running);
  pqxx::connection open{server.owner_conninfo()}; // a session that the kill leaves behind
  pqxx::nontransaction{open}.exec0("CREATE TABLE kept AS SELECT 7 AS n");
  const auto before = server.server_pid();
  kill(before, SIGKILL);
  ASSERT_TRUE(eventually([&] { return server.ensure_running() == server_state::restarted; }))
      << server.last_error();
  EXPECT_NE(server.server_pid(), before);
  EXPECT_EQ(ask(server.owner_conninfo(), "SELECT n FROM kept"), "7");
  EXPECT_EQ(server.ensure_running(), server_state::running);
  server.stop();
}

TEST_F(embedded, a_server_that_keeps_dying_is_started_with_growing_pauses) {
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  kill(server.server_pid(), SIGKILL);
  ASSERT_TRUE(eventually([&] { return server.ensure_running() == server_state::restarted; }));
  kill(server.server_pid(), SIGKILL);
  ASSERT_TRUE(eventually([&] { return server.ensure_running() != server_state::running; }));
  EXPECT_EQ(server.ensure_running(), server_state::waiting);
  ASSERT_TRUE(eventually([&] { return server.ensure_running() == server_state::restarted; }));
  server.stop();
}

TEST_F(embedded, a_failing_restart_is_reported_and_tried_again) {
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  std::ofstream{data / "postgres" / "local.conf"} << "shared_buffers = nonsense\n";
  chmod((data / "postgres" / "local.conf").c_str(), 0644);
  kill(server.server_pid(), SIGKILL);
  ASSERT_TRUE(eventually([&] {
    return server.ensure_running() == server_state::waiting && !server.last_error().empty();
  }));
  EXPECT_THAT(server.last_error(), HasSubstr("shared_buffers"));
  fs::remove(data / "postgres" / "local.conf");
  EXPECT_TRUE(eventually([&] { return server.ensure_running() == server_state::restarted; }));
  server.stop();
}

TEST_F(embedded, a_node_that_was_killed_leaves_a_server_that_the_next_one_adopts) {
  const auto left = start_and_kill_the_node();
  ASSERT_FALSE(is_gone(left)) << "the server must outlive the node";
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  EXPECT_TRUE(server.adopted());
  EXPECT_EQ(server.server_pid(), left);
  EXPECT_EQ(ask(server.service_conninfo(), "SELECT current_user"), "rahat_service");
  server.stop(); // ours, although another incarnation started it
  EXPECT_TRUE(is_gone(left));
}

TEST_F(embedded, node_and_server_killed_together_leave_nothing_in_the_way) {
  const auto left = start_and_kill_the_node();
  kill(left, SIGKILL);
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  EXPECT_FALSE(server.adopted());
  EXPECT_NE(server.server_pid(), left);
  server.stop();
}

TEST_F(embedded, a_backend_that_outlives_its_killed_postmaster_is_ended_before_a_new_start) {
  const auto left = start_and_kill_the_node();
  pid_t frozen = 0;
  for (const auto pid : processes_in(data / "postgres"))
    if (read_small_file("/proc/" + std::to_string(pid) + "/cmdline").find("checkpointer") !=
        std::string::npos)
      frozen = pid;
  ASSERT_NE(frozen, 0);
  kill(frozen, SIGSTOP); // does not notice the postmaster's death
  kill(left, SIGKILL);
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), [&](std::string_view event, std::string) {
                             events.emplace_back(event);
                             if (event == "postgres_leftovers")
                               kill(frozen, SIGCONT);
                           }};
  server.start();
  EXPECT_THAT(events, testing::Contains("postgres_leftovers"));
  EXPECT_TRUE(is_gone(frozen));
  server.stop();
}

TEST_F(embedded, a_recycled_process_id_in_the_pid_file_does_not_stop_a_start) {
  // Of the server's own account: Postgres takes no notice of other users' processes.
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const auto stranger = spawn_program({"/bin/sleep", "600"}, server_account(), nowhere);
  close(nowhere);
  std::ofstream{data / "postgres" / "postmaster.pid"}
      << stranger << "\n"
      << (data / "postgres").string() << "\n1\n5432\n"
      << (data / "run").string() << "\n\n  1 1\nready   \n";
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  EXPECT_FALSE(server.adopted());
  EXPECT_NE(server.server_pid(), stranger);
  EXPECT_FALSE(is_gone(stranger));
  server.stop();
  kill(stranger, SIGKILL);
  waitpid(stranger, nullptr, 0);
}

TEST_F(embedded, another_major_version_is_refused_with_the_upgrade_command) {
  std::ofstream{data / "postgres" / "PG_VERSION"} << "14\n";
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  const auto said = refusal([&] { server.start(); });
  EXPECT_THAT(said, HasSubstr("made by PostgreSQL 14"));
  EXPECT_THAT(said, HasSubstr("pg_upgrade -b /usr/lib/postgresql/14/bin"));
  EXPECT_THAT(said, HasSubstr(" -d " + (data / "postgres").string()));
}

TEST_F(embedded, no_installation_is_answered_with_what_to_install) {
  EXPECT_THAT(refusal([&] { choose_postgres(data / "none", {}); }), HasSubstr("install"));
  const std::vector<postgres_programs> several{{"/b", 17}, {"/a", 15}};
  EXPECT_EQ(choose_postgres(data / "none", several).major, 17) << "the newest for a new cluster";
  std::ofstream{data / "postgres" / "PG_VERSION"} << "15\n";
  EXPECT_EQ(choose_postgres(data / "postgres", several).bin, "/a") << "its own for an old one";
}

TEST_F(embedded, a_lost_secret_is_refused_rather_than_replaced) {
  fs::remove_all(data / "secrets");
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  EXPECT_THAT(refusal([&] { server.start(); }), HasSubstr("from a backup"));
}

TEST_F(embedded, a_folder_that_the_server_may_not_reach_is_refused_in_words) {
  if (geteuid() != 0)
    return; // another user's server runs as that user: there is nobody to shut out
  const auto closed = scratch->path() / "closed";
  fs::create_directory(closed);
  chmod(closed.c_str(), 0700);
  data_folder folder{closed / "data"};
  embedded_postgres server{folder, test::small_server(), log()};
  const auto said = refusal([&] { server.start(); });
  EXPECT_THAT(said, HasSubstr("may not pass the folder " + closed.string()));
  EXPECT_THAT(said, HasSubstr("/var/lib/rahat"));
}

TEST_F(embedded, a_path_too_long_for_a_socket_gets_a_short_private_folder) {
  const auto deep = scratch->path() / std::string(120, 'x');
  copy_golden(deep);
  data_folder folder{deep};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  EXPECT_LE(server.socket_folder().string().size() + 14, max_socket_path_bytes);
  EXPECT_EQ(mode_of(server.socket_folder()), 0700);
  EXPECT_THAT(events, testing::Contains("socket_folder"));
  EXPECT_EQ(ask(server.service_conninfo(), "SELECT 1"), "1");
  const auto sockets = server.socket_folder();
  server.stop();
  fs::remove_all(sockets);
}

TEST_F(embedded, an_initdb_that_was_killed_is_done_again) {
  fs::rename(data / "postgres", data / "postgres.new");
  fs::remove_all(data / "postgres.new" / "global");
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  EXPECT_EQ(ask(server.service_conninfo(), "SELECT 1"), "1");
  EXPECT_FALSE(fs::exists(data / "postgres.new"));
  server.stop();
}

TEST_F(embedded, a_young_cluster_gets_the_log_that_it_will_need) {
  data_folder folder{data};
  embedded_postgres server{folder, test::small_server(), log()};
  server.start();
  const auto segments = [&] {
    return std::stoi(ask(server.admin_conninfo(), "SELECT count(*) FROM pg_ls_waldir()"));
  };
  constexpr int wanted = 6;
  const auto steps = [&](const std::string& conninfo, int megabytes) {
    spare_log spare{conninfo, megabytes};
    int made = 0;
    while (!spare.step() && made < 100)
      ++made;
    return made;
  };
  ASSERT_LT(segments(), wanted);
  EXPECT_EQ(steps(server.admin_conninfo(), 0), 0);
  const int made = steps(server.admin_conninfo(), wanted * 16);
  EXPECT_GT(made, 0);
  EXPECT_LE(made, wanted);
  EXPECT_GE(segments(), wanted); // the checkpoint has kept them
  EXPECT_EQ(steps(server.admin_conninfo(), wanted * 16), 0);
  server.stop();
  EXPECT_EQ(steps(server.admin_conninfo(), 1'024), 0); // nobody to ask: left for the next start
}

} // namespace
