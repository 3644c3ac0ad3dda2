#include "tests/support/pg_fixture.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/migrate/migrate.hpp"
#include "persistence/migrate/roles.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <pqxx/pqxx>
#include <stdexcept>

namespace rahat::test {

namespace {

constexpr const char* template_database = "rahat_template";

/// Ends when its standard input does. Immediate shutdown: nothing in here is worth a checkpoint.
/// A zombie (a server whose parent is the test) has no working folder any more.
constexpr const char* clean_up = R"(
read -r _
for file in "$1"/postgres/postmaster.pid "$1"/*/postgres/postmaster.pid; do
  [ -f "$file" ] || continue
  pid=$(head -n 1 "$file")
  kill -QUIT "$pid" 2>/dev/null
  n=0
  while readlink "/proc/$pid/cwd" >/dev/null && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
done
rm -rf "$1"
)";

} // namespace

scratch_folder::scratch_folder() {
  std::string name = "/tmp/rahat-test-XXXXXX";
  int line[2];
  if (mkdtemp(name.data()) == nullptr || chmod(name.c_str(), 0711) != 0 ||
      pipe2(line, O_CLOEXEC) != 0)
    throw std::runtime_error{"cannot make a scratch folder in /tmp"};
  path_ = name;
  life_line_ = line[1];
  helper_ = fork();
  if (helper_ == 0) {
    setsid(); // a Ctrl-C ends the test, and only that
    dup2(line[0], 0);
    close_range(3, ~0U, 0);
    execl("/bin/sh", "sh", "-c", clean_up, "sh", name.c_str(), nullptr);
    _exit(127);
  }
  close(line[0]);
}

scratch_folder::~scratch_folder() {
  close(life_line_);
  waitpid(helper_, nullptr, 0);
}

embedded_options small_server() {
  embedded_options options;
  options.tuning.shared_buffers_mb = 64;
  options.tuning.durable = false;
  options.start_limit = std::chrono::seconds{60};
  options.stop_limit = std::chrono::seconds{20};
  return options;
}

pg_fixture& pg_fixture::get() {
  static pg_fixture one;
  return one;
}

pg_fixture::pg_fixture()
    : folder_(std::make_unique<data_folder>(scratch_.path() / "data")),
      server_(std::make_unique<embedded_postgres>(*folder_, small_server(),
                                                  embedded_postgres::log_function{})) {
  server_->start();
}

test_database pg_fixture::make(const std::string& name, const std::string& from) {
  pqxx::connection admin{server_->admin_conninfo()};
  pqxx::nontransaction work{admin};
  work.exec0("CREATE DATABASE " + name + " OWNER " + owner_role + " TEMPLATE " + from);
  return {name, with_field(server_->owner_conninfo(), "dbname", name),
          with_field(server_->service_conninfo(), "dbname", name), server_->admin_conninfo(name)};
}

test_database pg_fixture::empty_database() {
  return make("test_" + std::to_string(++made_), "template1");
}

test_database pg_fixture::fresh_database() {
  if (!has_template_) {
    migrate(make(template_database, "template1").owner, built_in_migrations());
    has_template_ = true;
  }
  return make("test_" + std::to_string(++made_), template_database);
}

} // namespace rahat::test
