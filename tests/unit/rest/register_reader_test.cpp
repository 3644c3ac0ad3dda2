#include "gateways/rest/register_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

using namespace rahat;
using namespace rahat::rest;
using testing::HasSubstr;
using cells = std::map<std::string, std::string>;

namespace {

struct recorder final : row_sink {
  struct bad_row {
    std::uint32_t number;
    std::string field;
    std::string message;
  };
  std::vector<std::pair<std::uint32_t, cells>> rows;
  std::vector<bad_row> bad;

  void on_row(std::uint32_t number, const raw_row& row) override {
    cells out;
    for (std::size_t i = 0; i < known_columns; ++i)
      if (!row.known[i].empty())
        out[std::string(to_string(static_cast<column>(i)))] = row.known[i];
    for (auto& [name, value] : row.extras)
      out["+" + std::string(name)] = value;
    rows.emplace_back(number, out);
  }

  void on_bad_row(std::uint32_t number, field_error why) override {
    bad.push_back({number, why.field, why.message});
  }
};

/// Reads the same text in pieces of every size that could cut it badly; all must agree.
struct reading {
  recorder got;
  std::string error; // "" when the file was read to its end
};

reading read_once(const std::string& type, const std::string& text, std::size_t piece,
                  std::uint32_t max_rows) {
  reading out;
  auto reader = reader_of(type, out.got, max_rows);
  file_error why;
  for (std::size_t at = 0; at < text.size() && !why; at += piece)
    why = reader->read(std::string_view(text).substr(at, piece));
  if (!why)
    why = reader->finish();
  out.error = why ? why->message : "";
  return out;
}

reading read(const std::string& type, const std::string& text, std::uint32_t max_rows = 1000) {
  auto whole = read_once(type, text, text.size() + 1, max_rows);
  for (std::size_t piece : {1u, 2u, 3u, 7u}) {
    auto cut = read_once(type, text, piece, max_rows);
    EXPECT_EQ(cut.error, whole.error) << "cut every " << piece;
    EXPECT_EQ(cut.got.rows, whole.got.rows) << "cut every " << piece;
    EXPECT_EQ(cut.got.bad.size(), whole.got.bad.size()) << "cut every " << piece;
  }
  return whole;
}

reading csv(const std::string& text, std::uint32_t max_rows = 1000) {
  return read("text/csv", text, max_rows);
}

TEST(csv_reader, columns_come_in_any_order_and_unknown_ones_are_extras) {
  auto r =
      csv("name,village,external_ref,amount_minor\n"
          "Asha Rai,Ilam 3,HH-1,150000\n"
          "Bina,,HH-2,\n");
  ASSERT_EQ(r.error, "");
  ASSERT_EQ(r.got.rows.size(), 2u);
  EXPECT_EQ(r.got.rows[0].second, (cells{{"external_ref", "HH-1"},
                                         {"name", "Asha Rai"},
                                         {"+village", "Ilam 3"},
                                         {"amount_minor", "150000"}}));
  EXPECT_EQ(r.got.rows[1].first, 2u);
  EXPECT_EQ(r.got.rows[1].second, (cells{{"external_ref", "HH-2"}, {"name", "Bina"}}));
}

TEST(csv_reader, quotes_line_ends_and_marks) {
  auto expected = std::vector<std::pair<std::uint32_t, cells>>{
      {1, {{"external_ref", "1"}, {"name", "Rai, \"A\"\nB"}}}, {2, {{"external_ref", "2"}}}};
  for (auto& text : {"external_ref,name\n1,\"Rai, \"\"A\"\"\nB\"\n2,\n",
                     "external_ref,name\r\n1,\"Rai, \"\"A\"\"\nB\"\r\n2,\"\"\r\n",
                     "\xef\xbb\xbf\"external_ref\",\"name\"\r1,\"Rai, \"\"A\"\"\nB\"\r2,",
                     "external_ref,name\n\n1,\"Rai, \"\"A\"\"\nB\" \n\n2,\n\n"}) {
    auto r = csv(text);
    EXPECT_EQ(r.error, "") << text;
    EXPECT_EQ(r.got.rows, expected) << text;
  }
  EXPECT_EQ(csv("external_ref,name\n1,5\" nail\n").got.rows[0].second.at("name"), "5\" nail");
}

TEST(csv_reader, a_first_letter_that_begins_like_a_mark_is_kept) {
  EXPECT_THAT(csv("\xef\xbb\x80,external_ref\n1,2\n").got.rows[0].second,
              testing::Contains(std::pair<const std::string, std::string>("+\xef\xbb\x80", "1")));
}

TEST(csv_reader, rows_that_do_not_fit_are_reported_and_the_rest_is_read) {
  auto r = csv("external_ref,name\n1\n2,b,c\n3,\"x\"y\n4,d\n");
  EXPECT_EQ(r.error, "");
  ASSERT_EQ(r.got.bad.size(), 3u);
  EXPECT_EQ(r.got.bad[0].number, 1u);
  EXPECT_THAT(r.got.bad[0].message, HasSubstr("has 1 fields, the heading line has 2"));
  EXPECT_THAT(r.got.bad[1].message, HasSubstr("has 3 fields"));
  EXPECT_THAT(r.got.bad[2].message, HasSubstr("after a closing quote"));
  ASSERT_EQ(r.got.rows.size(), 1u);
  EXPECT_EQ(r.got.rows[0].first, 4u);
}

TEST(csv_reader, files_that_cannot_be_read_say_why) {
  std::string many = "external_ref";
  for (int i = 0; i < 120; ++i)
    many += ",c" + std::to_string(i);
  struct row {
    std::string text;
    std::string why;
  };
  for (auto& [text, why] : std::vector<row>{
           {"", "the file is empty"},
           {"\n\n", "the file is empty"},
           {"external_ref,name\n", "no rows"},
           {"name,phone\nx,1\n", "no column external_ref"},
           {"external_ref;name\n1;x\n", "semicolons"},
           {"external_ref,name,name\n1,2,3\n", "names the column name twice"},
           {"external_ref,\n1,2\n", "column 2 of the heading line has no name"},
           {"external_ref,a\xff\n1,2\n", "not UTF-8"},
           {"external_ref," + std::string(101, 'c') + "\n1,2\n", "more than 100 bytes"},
           {many + "\n", "more than 100 columns"},
           {"external_ref,name\n1,\"Rai\n2,x\n", "ends inside a quoted field of row 1"},
           {"external_ref,name\n1," + std::string(70'000, 'x') + "\n",
            "row 1 is longer than 64 KiB"},
           {"external_ref\n1\n2\n3\n4\n", "more than 3 rows"},
       }) {
    auto r = csv(text, 3);
    EXPECT_THAT(r.error, HasSubstr(why)) << text.substr(0, 80);
  }
}

TEST(ndjson_reader, one_object_a_line) {
  auto r = read("application/x-ndjson",
                "\xef\xbb\xbf{\"external_ref\":\"HH-1\",\"amount_minor\":150000,\"ok\":true}\r\n"
                "\n{\"external_ref\":7,\"name\":null,\"big\":18446744073709551615}");
  ASSERT_EQ(r.error, "");
  ASSERT_EQ(r.got.rows.size(), 2u);
  EXPECT_EQ(r.got.rows[0].second,
            (cells{{"external_ref", "HH-1"}, {"amount_minor", "150000"}, {"+ok", "true"}}));
  EXPECT_EQ(r.got.rows[1].second, (cells{{"external_ref", "7"}, {"+big", "18446744073709551615"}}));
}

TEST(ndjson_reader, thousands_of_rows_need_no_more_memory_than_one) {
  std::string text;
  for (int i = 0; i < 5'000; ++i)
    text += R"({"external_ref":"HH-)" + std::to_string(i) + R"(","name":"Asha","x":")" +
            std::string(i % 100 == 0 ? 20'000 : 20, 'x') + "\"}\n";
  auto r = read_once("application/x-ndjson", text, 64 * 1024, 10'000);
  EXPECT_EQ(r.error, "");
  EXPECT_EQ(r.got.rows.size(), 5'000u);
}

TEST(ndjson_reader, a_bad_line_is_a_bad_row) {
  auto r = read("application/x-ndjson",
                "{\"external_ref\":\"1\"\n"
                "[1]\n"
                "{\"external_ref\":\"\xff\"}\n"
                "{\"external_ref\":\"2\",\"amount_minor\":1.5}\n"
                "{\"external_ref\":\"2\",\"x\":{\"y\":1}}\n"
                "{\"external_ref\":\"2\",\"\":1}\n"
                "{\"external_ref\":\"3\"}\n");
  EXPECT_EQ(r.error, "");
  ASSERT_EQ(r.got.bad.size(), 6u);
  EXPECT_EQ(r.got.bad[3].field, "amount_minor");
  EXPECT_EQ(r.got.bad[4].field, "x");
  ASSERT_EQ(r.got.rows.size(), 1u);
  EXPECT_EQ(r.got.rows[0].first, 7u);
  EXPECT_THAT(read("application/x-ndjson", "\n \n").error, HasSubstr("empty"));
  EXPECT_THAT(read("application/x-ndjson", std::string(70'000, ' ') + "{").error,
              HasSubstr("longer than 64 KiB"));
  EXPECT_THAT(read("application/x-ndjson", "{}\n{}\n{}\n", 2).error, HasSubstr("more than 2 rows"));
}

TEST(json_array_reader, an_array_of_objects) {
  auto r = read("application/json",
                " [ {\"external_ref\":\"a]}\\\"{\"} ,\n"
                "{\"external_ref\":\"b\",\"x\":{\"y\":[1]}},"
                "{\"external_ref\":\"c\"}] \n");
  ASSERT_EQ(r.error, "");
  ASSERT_EQ(r.got.rows.size(), 2u);
  EXPECT_EQ(r.got.rows[0].second.at("external_ref"), "a]}\"{");
  EXPECT_EQ(r.got.rows[1].first, 3u);
  ASSERT_EQ(r.got.bad.size(), 1u);
  EXPECT_EQ(r.got.bad[0].field, "x");
}

TEST(json_array_reader, files_that_cannot_be_read_say_why) {
  for (auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "empty"},
           {"{\"external_ref\":\"1\"}", "begins with ["},
           {"[]", "no rows"},
           {"[{\"external_ref\":\"1\"}", "after row 1"},
           {"[{\"external_ref\":\"1\"", "ends inside row 1"},
           {"[{\"external_ref\":\"1\"},", "cut off"},
           {"[{\"external_ref\":\"1\"},]", "not an object"},
           {"[1]", "not an object"},
           {"[{\"external_ref\":\"1\"}]x", "not an object"},
           {"[{\"external_ref\":\"1\"}{}]", "not an object"},
           {"[{\"a\":\"" + std::string(70'000, 'x'), "longer than 64 KiB"},
       })
    EXPECT_THAT(read("application/json", text).error, HasSubstr(why)) << text.substr(0, 60);
}

TEST(register_reader, other_types_have_none) {
  recorder sink;
  EXPECT_EQ(reader_of("text/plain", sink, 10), nullptr);
}

} // namespace
