#include "tests/support/pg_fixture.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/migrate/migrate.hpp"
#include "persistence/migrate/roles.hpp"

#include <pqxx/pqxx>

namespace rahat::test {

namespace {

constexpr const char* template_database = "rahat_template";

} // namespace

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
