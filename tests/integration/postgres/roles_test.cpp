#include "persistence/migrate/roles.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/migrate/migrate.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pqxx/pqxx>

namespace {

using namespace rahat;
using testing::HasSubstr;

const std::vector<migration> books{
    {1, "books",
     "CREATE TABLE journal (seq bigint, payload text); CREATE TABLE transfer (line int);"
     "CREATE TABLE shard (shard smallint); CREATE TABLE quiet (n int);"
     "CREATE SEQUENCE counter; GRANT SELECT ON quiet TO rahat_service;"
     "GRANT ALL ON transfer TO rahat_service"}};

/// The error of a statement, or "" when it went through; nothing is kept.
std::string attempt(const std::string& conninfo, const std::string& sql) {
  pqxx::connection connection{conninfo};
  pqxx::work work{connection};
  try {
    work.exec(sql);
  } catch (const pqxx::sql_error& error) {
    return error.what();
  }
  return {};
}

void run(const std::string& conninfo, const std::string& sql) {
  pqxx::connection connection{conninfo};
  pqxx::nontransaction{connection}.exec(sql);
}

class roles : public testing::Test {
protected:
  test::test_database db = test::pg_fixture::get().empty_database();
};

TEST_F(roles, the_service_adds_to_the_books_but_never_alters_them) {
  migrate(db.owner, books);
  EXPECT_EQ(attempt(db.service, "INSERT INTO journal VALUES (1, 'x')"), "");
  EXPECT_EQ(attempt(db.service, "INSERT INTO transfer VALUES (1)"), "");
  EXPECT_EQ(attempt(db.service, "SELECT * FROM journal, transfer"), "");
  for (const char* sql :
       {"UPDATE journal SET payload = 'y'", "DELETE FROM journal", "TRUNCATE journal",
        "UPDATE transfer SET line = 2", "DELETE FROM transfer", "TRUNCATE transfer",
        "DROP TABLE journal", "ALTER TABLE transfer DISABLE TRIGGER ALL", "TRUNCATE shard",
        "INSERT INTO schema_migration VALUES (9, 'x', 'y')", "DELETE FROM schema_migration",
        "CREATE TABLE mine (n int)"})
    EXPECT_NE(attempt(db.service, sql), "") << sql;
}

TEST_F(roles, the_service_does_all_else_and_a_migrations_own_grants_stay) {
  migrate(db.owner, books);
  for (const char* sql :
       {"INSERT INTO shard VALUES (1)", "UPDATE shard SET shard = 2", "DELETE FROM shard",
        "SELECT nextval('counter')", "SELECT * FROM quiet", "SELECT * FROM schema_migration"})
    EXPECT_EQ(attempt(db.service, sql), "") << sql;
  EXPECT_THAT(attempt(db.service, "INSERT INTO quiet VALUES (1)"), HasSubstr("permission denied"));
}

TEST_F(roles, the_real_schema_keeps_the_books_append_only) {
  const auto real = test::pg_fixture::get().fresh_database();
  for (const char* sql : {"UPDATE journal SET payload = ''", "DELETE FROM journal",
                          "UPDATE transfer SET amount_minor = 1", "DELETE FROM transfer"})
    EXPECT_THAT(attempt(real.service, sql), HasSubstr("permission denied")) << sql;
  EXPECT_EQ(attempt(real.service, "UPDATE shard SET epoch = epoch"), "");
  EXPECT_THAT(attempt(real.service, "DELETE FROM cluster_member"), HasSubstr("permission denied"));
}

TEST_F(roles, the_service_ends_sessions_of_its_own_role) {
  pqxx::connection other{db.service};
  EXPECT_EQ(attempt(db.service,
                    "SELECT pg_terminate_backend(" + std::to_string(other.backendpid()) + ")"),
            "");
}

TEST_F(roles, the_search_projection_lives_in_a_schema_that_the_service_cannot_read) {
  migrate(db.owner, books);
  const auto secret = parse_conninfo(test::pg_fixture::get().server().persons_conninfo());
  const auto persons = with_field(conninfo(secret), "dbname", db.name);
  run(persons, "CREATE TABLE persons.name (person uuid, name text)");
  EXPECT_EQ(attempt(persons, "INSERT INTO persons.name VALUES (gen_random_uuid(), 'x')"), "");
  EXPECT_NE(attempt(db.service, "SELECT * FROM persons.name"), "");
  EXPECT_NE(attempt(persons, "SELECT * FROM journal"), "");
}

/// A server that somebody else runs: only the two urls of the configuration are known.
class foreign_server : public testing::Test {
protected:
  void SetUp() override {
    run(db.admin,
        "DO $$ BEGIN CREATE ROLE dba LOGIN CREATEROLE PASSWORD 'dba';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    run(db.admin, "ALTER DATABASE " + db.name + " OWNER TO dba");
    dba = as("dba", "dba");
  }

  std::string as(const std::string& user, const std::string& password) const {
    return with_field(with_field(db.service, "user", user), "password", password);
  }

  test::test_database db = test::pg_fixture::get().empty_database();
  std::string dba;
};

TEST_F(foreign_server, an_administrator_prepares_it_for_a_login_role_of_any_name) {
  const auto node = as("node_of_" + db.name, "secret");
  prepare_server(dba, node);
  migrate(dba, books);
  EXPECT_EQ(attempt(node, "INSERT INTO journal VALUES (1, 'x')"), "");
  EXPECT_THAT(attempt(node, "DELETE FROM journal"), HasSubstr("permission denied"));
  EXPECT_NO_THROW(prepare_server(dba, node)) << "a second start finds all in place";
}

TEST_F(foreign_server, a_user_who_may_not_create_roles_is_told_what_to_run) {
  run(db.admin,
      "DO $$ BEGIN CREATE ROLE weak LOGIN PASSWORD 'weak';"
      " EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  try {
    prepare_server(as("weak", "weak"), as("new_node", "secret"));
    FAIL() << "a role without rights prepared a server";
  } catch (const role_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("`weak` may not"));
    EXPECT_THAT(error.what(), HasSubstr("let an administrator run"));
  }
}

TEST_F(foreign_server, a_wrong_password_and_a_missing_user_are_named) {
  auto refusal = [this](const std::string& service) {
    try {
      prepare_server(dba, service);
    } catch (const role_error& error) {
      return std::string{error.what()};
    }
    return std::string{"(nothing was refused)"};
  };
  EXPECT_THAT(refusal(as("rahat_service", "wrong")), HasSubstr("cannot connect with database.url"));
  auto nobody = parse_conninfo(db.service);
  nobody.erase("user");
  EXPECT_THAT(refusal(conninfo(nobody)), HasSubstr("names no user"));
  EXPECT_THAT(refusal("postgresql://[broken"), HasSubstr("not a Postgres connection string"));
}

} // namespace
