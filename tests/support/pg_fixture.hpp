#pragma once

#include "persistence/embedded/embedded_postgres.hpp"
#include "tests/support/scratch_folder.hpp"

#include <memory>
#include <string>

namespace rahat::test {

/// Connection strings of one database: as the schema's owner, as a node, as superuser.
struct test_database {
  std::string name;
  std::string owner;
  std::string service;
  std::string admin;
};

/// One throw-away Postgres a test process, started at the first use and gone with the process:
///
///   auto db = rahat::test::pg_fixture::get().fresh_database();
///   pqxx::connection node{db.service};
///
/// Databases are cheap (some 50 ms): take a new one a test. One thread.
class pg_fixture {
public:
  static pg_fixture& get();

  /// A new database with all of the binary's migrations applied.
  test_database fresh_database();

  /// A new database owned by rahat_owner without any table.
  test_database empty_database();

  embedded_postgres& server() { return *server_; }

private:
  pg_fixture();
  test_database make(const std::string& name, const std::string& from);

  scratch_folder scratch_;
  std::unique_ptr<data_folder> folder_;
  std::unique_ptr<embedded_postgres> server_;
  int made_ = 0;
  bool has_template_ = false;
};

/// Small memory, so that several test processes fit beside each other, and nothing is forced to the
/// disk: a test's speed then does not depend on what else the machine writes.
embedded_options small_server();

} // namespace rahat::test
