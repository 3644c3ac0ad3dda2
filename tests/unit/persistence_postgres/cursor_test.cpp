#include "persistence/postgres/cursor.hpp"

#include <gtest/gtest.h>

namespace rahat::pg {

namespace {

list_query some_list() {
  list_query q;
  q.kind = "project";
  return q;
}

TEST(cursor, comes_back_as_it_went) {
  auto q = some_list();
  for (const std::int64_t created : {0L, -1L, 1'795'172'400'123'456L}) {
    const list_place place{created, derive_id({"x", std::to_string(created)})};
    q.cursor = to_cursor(q, place);
    EXPECT_EQ(q.cursor.size(), 40u);
    EXPECT_EQ(from_cursor(q), place);
  }
}

TEST(cursor, of_another_list_is_refused) {
  auto q = some_list();
  q.cursor = to_cursor(q, {7, derive_id({"x"})});
  auto other = q;
  other.status = "active";
  EXPECT_FALSE(from_cursor(other));
  other = q;
  other.newest_first = false;
  EXPECT_FALSE(from_cursor(other));
  other = q;
  other.kind = "vendor";
  EXPECT_FALSE(from_cursor(other));
}

TEST(cursor, that_was_made_up_is_refused) {
  auto q = some_list();
  for (const auto* text : {"", "x", "' OR 1=1", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                           "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"}) {
    q.cursor = text;
    EXPECT_FALSE(from_cursor(q)) << text;
  }
}

} // namespace

} // namespace rahat::pg
