#include "persistence/lease/generation.hpp"
#include "persistence/lease/doctor.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <chrono>
#include <pqxx/pqxx>

namespace {

using namespace rahat;
using testing::Contains;
using testing::ElementsAre;
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

/// Tests' servers force nothing to the disk; this one is made safe for the time of a test.
class doctor : public testing::Test {
protected:
  doctor() { set({"ALTER SYSTEM SET fsync = on"}); }
  ~doctor() override { set({"ALTER SYSTEM RESET ALL"}); }

  void set(const std::vector<std::string>& changes) {
    pqxx::connection admin{db.admin};
    pqxx::nontransaction work{admin};
    for (const auto& sql : changes)
      work.exec0(sql);
    work.exec1("SELECT pg_reload_conf()");
  }

  /// Looks until `expected` are found: a new session sees what was reloaded a moment later.
  std::vector<std::string> look_for(const std::vector<std::string>& expected) {
    std::vector<std::string> names;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    do {
      pqxx::connection node{db.service};
      names = names_of(examine_database(node));
    } while (names != expected && std::chrono::steady_clock::now() < deadline);
    return names;
  }

  test::test_database db = test::pg_fixture::get().fresh_database();
};

TEST_F(doctor, a_healthy_server_has_no_findings) {
  EXPECT_THAT(look_for({}), IsEmpty());
}

TEST_F(doctor, a_role_that_commits_without_waiting_is_refused) {
  set({"ALTER DATABASE " + db.name + " SET synchronous_commit = off"});
  EXPECT_THAT(look_for({"synchronous_commit_off"}), ElementsAre("synchronous_commit_off"));
  pqxx::connection node{db.service};
  EXPECT_EQ(examine_database(node).at(0).how, finding::weight::refuse);
}

TEST_F(doctor, a_service_that_could_alter_the_books_is_refused) {
  pqxx::connection owner{db.owner};
  EXPECT_THAT(names_of(examine_database(owner)), Contains("service_may_alter_books"));
  pqxx::connection admin{db.admin};
  EXPECT_THAT(names_of(examine_database(admin)), Contains("service_may_alter_books"));
}

TEST_F(doctor, unsafe_server_settings_are_refused) {
  set({"ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off"});
  EXPECT_THAT(look_for({"fsync_off", "full_page_writes_off"}),
              ElementsAre("fsync_off", "full_page_writes_off"));
}

} // namespace
