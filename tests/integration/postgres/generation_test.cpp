#include "persistence/lease/doctor.hpp"
#include "persistence/lease/generation.hpp"
#include "tests/support/pg_fixture.hpp"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pqxx/pqxx>

namespace {

using namespace rahat;
using testing::Contains;
using testing::IsEmpty;

std::vector<std::string> names_of(const std::vector<finding>& found) {
  std::vector<std::string> names;
  for (const auto& one : found)
    names.push_back(one.name);
  return names;
}

TEST(generation, the_service_reads_the_clusters_own_identity) {
  const auto db = test::pg_fixture::get().fresh_database();
  pqxx::connection node{db.service};
  const auto now = read_generation(node);
  EXPECT_EQ(now.system_identifier,
            system_identifier_of(test::pg_fixture::get().server().cluster()));
  EXPECT_EQ(now.timeline, 1u);
  EXPECT_EQ(now.raw().size(), 12u);
  EXPECT_EQ(read_generation(node), now);
}

TEST(generation, another_cluster_or_timeline_is_another_generation) {
  const auto now = parse_generation("7312345678901234567", "00000001000000000000000A");
  EXPECT_EQ(now.str(), "7312345678901234567/1");
  EXPECT_NE(now, parse_generation("7312345678901234568", "00000001000000000000000A"));
  const auto promoted = parse_generation("7312345678901234567", "000000110000000000000001");
  EXPECT_EQ(promoted.timeline, 17u);
  EXPECT_NE(now.raw(), promoted.raw());
}

TEST(generation, what_is_no_generation_is_refused) {
  EXPECT_THROW(parse_generation("", "000000010000000000000001"), generation_error);
  EXPECT_THROW(parse_generation("12x", "000000010000000000000001"), generation_error);
  EXPECT_THROW(parse_generation("12", "0000"), generation_error);
  EXPECT_THROW(parse_generation("12", "0000zz010000000000000001"), generation_error);
  EXPECT_THROW(parse_generation("12", "000000000000000000000001"), generation_error);
}

TEST(doctor, a_healthy_embedded_server_has_no_findings) {
  const auto db = test::pg_fixture::get().fresh_database();
  pqxx::connection node{db.service};
  EXPECT_THAT(names_of(examine_database(node)), IsEmpty());
}

TEST(doctor, a_role_that_commits_without_waiting_is_refused) {
  const auto db = test::pg_fixture::get().fresh_database();
  {
    pqxx::connection admin{db.admin};
    pqxx::nontransaction{admin}.exec0("ALTER DATABASE " + db.name
                                      + " SET synchronous_commit = off");
  }
  pqxx::connection node{db.service};
  const auto found = examine_database(node);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "synchronous_commit_off");
  EXPECT_EQ(found[0].how, finding::weight::refuse);
}

TEST(doctor, a_service_that_could_alter_the_books_is_refused) {
  const auto db = test::pg_fixture::get().fresh_database();
  pqxx::connection owner{db.owner};
  EXPECT_THAT(names_of(examine_database(owner)), Contains("service_may_alter_books"));
  pqxx::connection admin{db.admin};
  EXPECT_THAT(names_of(examine_database(admin)), Contains("service_may_alter_books"));
}

TEST(doctor, unsafe_server_settings_are_refused) {
  const auto db = test::pg_fixture::get().fresh_database();
  pqxx::connection admin{db.admin};
  auto set = [&admin](const std::string& sql) { pqxx::nontransaction{admin}.exec0(sql); };
  set("ALTER SYSTEM SET fsync = off");
  set("ALTER SYSTEM SET full_page_writes = off");
  pqxx::nontransaction{admin}.exec1("SELECT pg_reload_conf()");
  std::vector<std::string> names;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (names.size() < 2 && std::chrono::steady_clock::now() < deadline) {
    pqxx::connection node{db.service}; // a new session sees what was reloaded
    names = names_of(examine_database(node));
  }
  EXPECT_THAT(names, Contains("fsync_off"));
  EXPECT_THAT(names, Contains("full_page_writes_off"));
  set("ALTER SYSTEM RESET ALL");
  pqxx::nontransaction{admin}.exec1("SELECT pg_reload_conf()");
}

} // namespace
