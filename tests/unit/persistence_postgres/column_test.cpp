#include "persistence/postgres/column.hpp"

#include <gtest/gtest.h>

namespace rahat::pg {

namespace {

using namespace std::string_literals;

TEST(column, an_int4_array_is_what_array_recv_reads) {
  column c{column::type::int4};
  c.int4(1);
  c.int4(-2);
  const auto expected =
      "\0\0\0\1"   // one dimension
      "\0\0\0\0"   // no nulls
      "\0\0\0\x17" // int4
      "\0\0\0\2"   // two elements
      "\0\0\0\1"   // counted from one
      "\0\0\0\4\0\0\0\1"
      "\0\0\0\4\xff\xff\xff\xfe"s;
  EXPECT_EQ(c.wire(), expected);
}

TEST(column, is_empty_again_after_clear) {
  column c{column::type::text};
  c.bytes("नेपाल");
  EXPECT_EQ(c.size(), 1u);
  c.clear();
  EXPECT_EQ(c.size(), 0u);
  EXPECT_EQ(c.wire(), "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\0\0\0\0\1"s);
}

TEST(column, json_carries_its_version_byte) {
  column c{column::type::jsonb};
  c.json("{}");
  EXPECT_EQ(c.wire().substr(20), "\0\0\0\3\1{}"s);
}

TEST(column, days_count_from_2000_and_round_down) {
  column c{column::type::date};
  c.day(946'684'800'000'000); // 2000-01-01T00:00:00Z
  c.day(946'684'799'999'999);
  c.day(-1); // 1969-12-31
  EXPECT_EQ(c.wire().substr(20),
            "\0\0\0\4\0\0\0\0"
            "\0\0\0\4\xff\xff\xff\xff"
            "\0\0\0\4\xff\xff\xd5\x32"s);
}

} // namespace

} // namespace rahat::pg
