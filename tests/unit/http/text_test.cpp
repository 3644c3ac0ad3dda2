#include "gateways/http/text.hpp"

#include <gtest/gtest.h>

namespace rahat::http::test {
namespace {

TEST(text_test, utf8) {
  for (std::string_view good : {"", "plain", "12345678\xc3\xa9", "\xe0\xa4\xb0\xe0\xa4\xbe",
                                "\xf0\x9f\x98\x80", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (std::string_view bad :
       {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "1234567\xff", "12345678\xe0\xa4"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(text_test, media_types) {
  EXPECT_EQ(media_type(" Application/JSON ; charset=x"), "application/json");
  EXPECT_TRUE(charset_is_utf8("text/csv"));
  EXPECT_TRUE(charset_is_utf8("text/csv; header=present; Charset=utf-8"));
  EXPECT_FALSE(charset_is_utf8("text/csv; charset=latin1"));
}

TEST(text_test, accept_prefers_the_closest_range) {
  EXPECT_TRUE(accepts_json(""));
  EXPECT_TRUE(accepts_json("text/html, application/xhtml+xml, */*;q=0.8"));
  EXPECT_TRUE(accepts_json("*/*;q=0, application/json"));
  EXPECT_FALSE(accepts_json("application/*;q=0, */*"));
  EXPECT_FALSE(accepts_json("text/*"));
  EXPECT_FALSE(accepts_json("application/jsonx"));
}

TEST(text_test, json_strings) {
  std::string out;
  append_json_string(out, "a\"\\\n\x01\xc3\xa9");
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001\xc3\xa9\"");
}

} // namespace
} // namespace rahat::http::test
