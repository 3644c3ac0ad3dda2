// What the store tidies up by itself.
#include "tests/integration/store/store_kit.hpp"
#include "tests/support/eventually.hpp"

#include <gtest/gtest.h>

namespace rahat::test {

namespace {

uuid upload_of(const std::string& status) {
  return derive_id({"upload", status});
}

/// An upload in that status with so many staged rows and keys, and one error.
void stage(store_kit& kit, const std::string& status, int rows) {
  const auto id = "'" + upload_of(status).str() + "'";
  const auto none = "'" + uuid{}.str() + "'";
  kit.sql("INSERT INTO query VALUES ('upload', " + id + ", 0, 1, " + none + ", " + none + ", '" +
          status + "', 1, '{}')");
  kit.sql("INSERT INTO upload_row SELECT " + id + ", g, g + 1, " + id +
          ", 100, 'sealed' FROM generate_series(0, " + std::to_string(rows - 1) + ") g");
  kit.sql("INSERT INTO person_key SELECT upload, ordinal, person, 'key' FROM upload_row" +
          (" WHERE upload = " + id));
  kit.sql("INSERT INTO upload_error (upload, row_no, field, message) VALUES (" + id +
          ", 1, 'name', 'is missing')");
}

int count(store_kit& kit, const std::string& table, const std::string& status) {
  return kit
      .sql("SELECT count(*) FROM " + table + " WHERE upload = '" + upload_of(status).str() +
           "'")[0][0]
      .as<int>();
}

} // namespace

TEST(staged_rows, of_a_register_that_came_to_nothing_are_deleted_with_their_keys) {
  store_kit kit;
  const std::vector<std::string> kept{"receiving", "checking", "enrolling", "accepted", "failed"};
  stage(kit, "rejected", 20'500); // more than one turn deletes
  stage(kit, "abandoned", 3);
  for (auto& status : kept)
    stage(kit, status, 3);
  kit.reopen();
  for (std::string status : {"rejected", "abandoned"})
    for (std::string table : {"upload_row", "person_key"})
      EXPECT_TRUE(eventually([&] { return count(kit, table, status) == 0; }))
          << table << " of the " << status;
  for (auto& status : kept) {
    EXPECT_EQ(count(kit, "upload_row", status), 3) << status;
    EXPECT_EQ(count(kit, "person_key", status), 3) << status;
  }
  for (std::string status : {"rejected", "abandoned"})
    EXPECT_EQ(count(kit, "upload_error", status), 1) << "the client still sees what was wrong";
}

} // namespace rahat::test
