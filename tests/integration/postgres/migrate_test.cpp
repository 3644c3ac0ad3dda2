#include "persistence/migrate/migrate.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pqxx/pqxx>
#include <thread>

namespace {

using namespace rahat;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<migration> two{
    {1, "first", "CREATE TABLE first (n int); INSERT INTO first VALUES (1)"},
    {2, "second", "ALTER TABLE first ADD COLUMN m int; CREATE TABLE second (n int)"},
};

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const migration_error& error) {
    return error.what();
  }
  return "(nothing was refused)";
}

std::string ask(const std::string& conninfo, const std::string& sql) {
  pqxx::connection connection{conninfo};
  pqxx::nontransaction work{connection};
  return work.exec1(sql)[0].c_str();
}

class migrate_to : public testing::Test {
protected:
  test::test_database db = test::pg_fixture::get().empty_database();
};

TEST_F(migrate_to, an_empty_database_gets_every_step_once_and_records_it) {
  std::vector<std::string> told;
  const auto log = [&](std::string_view, std::string detail) { told.push_back(detail); };
  EXPECT_EQ(migrate(db.owner, two, log), 2);
  EXPECT_THAT(told, ElementsAre("0001_first", "0002_second"));
  EXPECT_EQ(migrate(db.owner, two, log), 0) << "a second run finds nothing to do";
  EXPECT_EQ(ask(db.owner, "SELECT count(*) FROM first"), "1");
  EXPECT_EQ(ask(db.owner,
                "SELECT string_agg(number || ' ' || name, ',' ORDER BY number)"
                " FROM schema_migration"
                " WHERE length(sha256) = 64 AND applied_at <= now()"),
            "1 first,2 second");
}

TEST_F(migrate_to, a_later_release_adds_its_steps) {
  EXPECT_EQ(migrate(db.owner, {two[0]}), 1);
  EXPECT_EQ(migrate(db.owner, two), 1);
  EXPECT_EQ(ask(db.owner, "SELECT count(m) FROM first"), "0");
}

TEST_F(migrate_to, a_step_that_was_changed_after_it_was_applied_is_refused) {
  migrate(db.owner, two);
  auto changed = two;
  changed[0].sql += " -- harmless?";
  const auto said = refusal([&] { migrate(db.owner, changed); });
  EXPECT_THAT(said, HasSubstr("0001_first was changed after"));
}

TEST_F(migrate_to, a_database_newer_than_the_binary_is_refused) {
  migrate(db.owner, two);
  const auto said = refusal([&] { migrate(db.owner, {two[0]}); });
  EXPECT_THAT(said, HasSubstr("newer than this binary"));
  EXPECT_THAT(said, HasSubstr("0002_second"));
}

TEST_F(migrate_to, a_history_with_a_gap_is_refused) {
  migrate(db.owner, two);
  pqxx::connection owner{db.owner};
  pqxx::nontransaction{owner}.exec0("DELETE FROM schema_migration WHERE number = 1");
  EXPECT_THAT(refusal([&] { migrate(db.owner, two); }), HasSubstr("gap"));
}

TEST_F(migrate_to, a_step_that_fails_leaves_nothing_and_keeps_the_ones_before) {
  const std::vector<migration> bad{
      two[0], {2, "bad", "CREATE TABLE half (n int); SELECT no_such_function()"}};
  const auto said = refusal([&] { migrate(db.owner, bad); });
  EXPECT_THAT(said, HasSubstr("0002_bad failed"));
  EXPECT_THAT(said, HasSubstr("stands at migration 1"));
  EXPECT_EQ(ask(db.owner, "SELECT to_regclass('half') IS NULL"), "t");
  EXPECT_EQ(migrate(db.owner, two), 1);
}

TEST_F(migrate_to, steps_out_of_order_are_refused_before_anything_is_touched) {
  EXPECT_THAT(refusal([&] { migrate(db.owner, {two[1]}); }), HasSubstr("not numbered"));
  EXPECT_EQ(ask(db.owner, "SELECT to_regclass('schema_migration') IS NULL"), "t");
}

TEST_F(migrate_to, nodes_that_start_together_apply_each_step_once) {
  int applied[4] = {};
  std::vector<std::thread> nodes;
  for (auto& count : applied)
    nodes.emplace_back([&count, this] { count = migrate(db.owner, two); });
  for (auto& node : nodes)
    node.join();
  EXPECT_EQ(applied[0] + applied[1] + applied[2] + applied[3], 2);
}

TEST_F(migrate_to, an_administrator_migrates_as_the_owner) {
  EXPECT_EQ(migrate(db.admin, two), 2);
  EXPECT_EQ(ask(db.admin, "SELECT tableowner FROM pg_tables WHERE tablename = 'first'"),
            "rahat_owner");
}

TEST_F(migrate_to, an_unreachable_database_is_an_error_in_words) {
  EXPECT_THAT(refusal([&] { migrate(with_field(db.owner, "dbname", "nowhere"), two); }),
              HasSubstr("does not exist"));
}

TEST_F(migrate_to, a_node_without_owner_checks_that_the_schema_is_its_own) {
  EXPECT_THAT(refusal([&] { require_schema(db.service, two); }), HasSubstr("database.admin_url"));
  migrate(db.owner, two);
  EXPECT_NO_THROW(require_schema(db.service, two));
  EXPECT_THAT(refusal([&] { require_schema(db.service, {two[0]}); }), HasSubstr("newer"));
}

TEST_F(migrate_to, the_binarys_own_steps_build_the_whole_schema) {
  const auto steps = built_in_migrations();
  ASSERT_GE(steps.size(), 2u);
  EXPECT_EQ(migrate(db.owner, steps), static_cast<int>(steps.size()));
  EXPECT_EQ(ask(db.service, "SELECT count(*) FROM shard"), "256");
  EXPECT_EQ(ask(db.service, "SELECT version FROM cluster_view"), "1");
}

/// Migration 0005 on the tables of a node of the release before, which goes on working beside it.
TEST_F(migrate_to, members_and_shards_of_the_release_before_live_on_beside_the_cluster) {
  auto steps = built_in_migrations();
  ASSERT_GE(steps.size(), 5u);
  const std::vector<migration> before{steps.begin(), steps.begin() + 4};
  const std::vector<migration> cluster{steps.begin(), steps.begin() + 5};
  migrate(db.owner, before);
  const std::string node = "00000000-0000-0000-0000-000000000001";
  const auto registers = [&](int incarnation) { // as that release does
    return "INSERT INTO cluster_member AS m (node_uuid, incarnation, name, status, lease_until)"
           " VALUES ('" +
           node + "', " + std::to_string(incarnation) +
           ", 'old', 'up', clock_timestamp() + interval '3 s') ON CONFLICT (node_uuid) DO UPDATE"
           " SET incarnation = excluded.incarnation, status = 'up',"
           " lease_until = excluded.lease_until RETURNING incarnation";
  };
  ask(db.service, registers(1));
  pqxx::connection owner{db.owner};
  pqxx::nontransaction{owner}.exec0("UPDATE shard SET owner = '" + node +
                                    "', incarnation = 1, epoch = 7, generation = '\\x02'");
  const std::string file = "SELECT pg_relation_filenode('shard')";
  const auto written = ask(db.owner, file);
  pqxx::connection old{db.service}; // a reader whose snapshot is older than the migration
  {
    pqxx::transaction<pqxx::isolation_level::repeatable_read> snapshot{old};
    snapshot.exec("SELECT count(*) FROM schema_migration");
    EXPECT_EQ(migrate(db.owner, cluster), 1);
    EXPECT_EQ(snapshot.exec1("SELECT count(*) FROM shard WHERE epoch = 7")[0].as<int>(), 256);
    EXPECT_EQ(snapshot.exec1("SELECT count(*) FROM cluster_member")[0].as<int>(), 1);
  }
  EXPECT_EQ(ask(db.owner, file), written) << "the table was written anew";
  EXPECT_EQ(ask(db.service, registers(2)), "2");
  EXPECT_EQ(ask(db.service, "SELECT status || address || build_level FROM cluster_member"), "up1");
  EXPECT_EQ(ask(db.service,
                "UPDATE cluster_member SET lease_until = clock_timestamp() +"
                " interval '3 s' WHERE status = 'up' RETURNING incarnation"),
            "2");
  EXPECT_EQ(ask(db.service, "SELECT count(*) FROM cluster_vote"), "0");
  EXPECT_EQ(ask(db.service,
                "SELECT epoch FROM shard_take_v1(5, '" + node + "', 2, '\\x02', interval '3 s')"),
            "8");
}

/// Migration 0006: nodes of two releases take shards of one table.
TEST_F(migrate_to, the_take_of_the_release_before_goes_on_beside_the_next_one) {
  migrate(db.owner, built_in_migrations());
  const std::string node = "00000000-0000-0000-0000-000000000001";
  ask(db.service,
      "INSERT INTO cluster_member (node_uuid, incarnation, name, status, lease_until)"
      " VALUES ('" +
          node +
          "', 1, 'n', 'up', clock_timestamp() + interval '3 s')"
          " RETURNING incarnation");
  const auto take = [&](const std::string& version) {
    return ask(db.service, "SELECT epoch FROM shard_take_" + version + "(5, '" + node +
                               "', 1, '\\x02', interval '3 s')");
  };
  EXPECT_EQ(take("v1"), "1");
  EXPECT_EQ(take("v2"), "2");
  EXPECT_EQ(take("v1"), "3");
}

} // namespace
