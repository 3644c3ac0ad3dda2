// What the service role may not do, and the daily partitions of `request`.
#include "tests/integration/store/store_kit.hpp"

#include <gtest/gtest.h>

namespace rahat::test {

namespace {

/// Whether the service lacks the right; any other error is thrown.
bool is_denied(store_kit& kit, const std::string& sql) {
  pqxx::connection service{kit.options().conninfo};
  pqxx::work work{service};
  try {
    work.exec(sql);
  } catch (const pqxx::insufficient_privilege&) {
    return true;
  }
  return false;
}

std::string request_parts(store_kit& kit) {
  return kit
      .sql(
          "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits"
          " WHERE inhparent = 'request'::regclass")[0][0]
      .as<std::string>();
}

} // namespace

TEST(rights, what_was_written_once_stays) {
  store_kit kit;
  for (const std::string table : {"journal", "transfer", "line", "account"}) {
    EXPECT_TRUE(is_denied(kit, "DELETE FROM " + table)) << table;
    EXPECT_TRUE(is_denied(kit, "TRUNCATE " + table)) << table;
  }
  EXPECT_TRUE(is_denied(kit, "UPDATE journal SET seq = 1"));
  EXPECT_TRUE(is_denied(kit, "UPDATE transfer SET amount_minor = 1"));
  EXPECT_TRUE(is_denied(kit, "UPDATE line SET amount_minor = 1"));
  EXPECT_TRUE(is_denied(kit, "DELETE FROM shard"));
  EXPECT_TRUE(is_denied(kit, "DROP TABLE request"));
}

TEST(request_days, are_made_at_start_and_dropped_after_a_week) {
  store_kit kit;
  const auto today =
      kit.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")[0][0].as<std::string>();
  EXPECT_NE(request_parts(kit).find("request_" + today), std::string::npos) << request_parts(kit);
  kit.sql(
      "SET ROLE rahat_owner;"
      "CREATE TABLE request_20200101 PARTITION OF request FOR VALUES FROM ('2020-01-01') TO"
      " ('2020-01-02'); RESET ROLE");
  kit.reopen();
  EXPECT_EQ(request_parts(kit).find("request_20200101"), std::string::npos) << request_parts(kit);
}

} // namespace rahat::test
