#include "runtime/telemetry/log_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace rahat::log;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

namespace {

constexpr std::int64_t at_ns = 1'763'633'472'123'456'789;
const std::string head =
    R"({"ts":"2025-11-20T10:11:12.123456Z","level":"info","event":"e","node":"n")";

std::string line(fields about) {
  return render(level::info, "e", about, "n", at_ns);
}

std::string json_text(std::string_view text, std::size_t room = 1000) {
  std::string out;
  append_json_text(out, text, room);
  return out;
}

TEST(log_line, without_fields_it_has_time_level_event_and_node) {
  EXPECT_EQ(line({}), head + "}");
}

TEST(log_line, carries_each_type_as_json_has_it) {
  std::string owned = "owned";
  EXPECT_EQ(line({{"a", 1},
                  {"b", std::numeric_limits<std::int64_t>::min()},
                  {"c", std::numeric_limits<std::uint64_t>::max()},
                  {"d", true},
                  {"e", 0.5},
                  {"f", nullptr},
                  {"g", "text"},
                  {"h", owned}}),
            head + R"(,"a":1,"b":-9223372036854775808,"c":18446744073709551615,"d":true,"e":0.5,)"
                   R"("f":null,"g":"text","h":"owned"})");
}

TEST(log_line, one_field_of_texts_is_a_field) {
  EXPECT_EQ(line({{"key", "value"}}), head + R"(,"key":"value"})");
}

TEST(log_line, numbers_that_json_does_not_know_are_null) {
  EXPECT_EQ(line({{"x", std::nan("")}, {"y", INFINITY}}), head + R"(,"x":null,"y":null})");
}

TEST(log_line, a_field_cannot_pose_as_one_of_the_fixed_ones) {
  EXPECT_EQ(line({{"level", "error"}, {"ts", 1}}), head + R"(,"level_":"error","ts_":1})");
}

TEST(log_line, stays_one_line_whatever_is_in_it) {
  auto text = line({{"x", "a\nb\r\"c\"\\ \t\x01\x7f"}, {"k\"ey\n", 1}});
  EXPECT_THAT(text, HasSubstr(R"("x":"a\nb\r\"c\"\\ \t\u0001\u007f")"));
  EXPECT_THAT(text, HasSubstr(R"("k\"ey\n":1)"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(log_line, zero_bytes_are_kept_as_escapes) {
  EXPECT_EQ(json_text(std::string_view("a\0b", 3)), R"("a\u0000b")");
}

TEST(log_line, valid_utf8_passes_and_broken_bytes_are_replaced) {
  EXPECT_EQ(json_text("नेपाल € 😀"), "\"नेपाल € 😀\"");
  EXPECT_EQ(json_text("a\xff"
                      "b"),
            R"("a\ufffdb")");
  EXPECT_EQ(json_text("\xc3"), R"("\ufffd")");                               // cut short
  EXPECT_EQ(json_text("\xc0\xaf"), R"("\ufffd\ufffd")");                     // overlong
  EXPECT_EQ(json_text("\xe0\x80\xaf"), R"("\ufffd\ufffd\ufffd")");           // overlong
  EXPECT_EQ(json_text("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");           // a surrogate
  EXPECT_EQ(json_text("\xf4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")"); // above U+10FFFF
  EXPECT_EQ(json_text("\x80"), R"("\ufffd")");
}

TEST(log_line, a_text_is_cut_between_characters) {
  EXPECT_EQ(json_text("ééé", 6), "\"éé\"");
  EXPECT_EQ(json_text("ééé", 7), "\"éé\"");
  EXPECT_EQ(json_text("ééé", 8), "\"ééé\"");
  EXPECT_EQ(json_text("abc", 2), "\"\"");
  EXPECT_EQ(json_text("\n\n", 5), "\"\\n\"");
}

TEST(log_line, too_long_a_line_is_cut_and_says_so) {
  std::string big(10'000, 'x');
  auto text = line({{"first", 1}, {"big", big}, {"after", 2}});
  EXPECT_LE(text.size(), max_line_bytes);
  EXPECT_GT(text.size(), max_line_bytes - 50);
  EXPECT_THAT(text, HasSubstr(R"("first":1,"big":"xxx)"));
  EXPECT_THAT(text, EndsWith(R"(xxx","truncated":true})"));
}

TEST(log_line, even_hostile_names_stay_within_the_bound) {
  std::string big(10'000, '\x01');
  auto text = render(level::error, big, {{big, big}, {big, 1}, {big, big}}, big, at_ns);
  EXPECT_LE(text.size(), max_line_bytes);
  EXPECT_THAT(text, EndsWith(R"("truncated":true})"));
}

TEST(log_line, exactly_at_the_bound_nothing_is_cut) {
  auto frame = line({{"x", ""}}).size();
  auto longest = max_line_bytes - frame + 1 - std::string(R"(,"truncated":true})").size();
  EXPECT_THAT(line({{"x", std::string(longest, 'y')}}), Not(HasSubstr("truncated")));
  EXPECT_THAT(line({{"x", std::string(longest + 1, 'y')}}), HasSubstr("truncated"));
}

TEST(log_line, timestamps_are_utc) {
  EXPECT_EQ(timestamp(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(timestamp(1'709'210'096'000'001'000), "2024-02-29T12:34:56.000001Z");
}

} // namespace
