#include "apps/rahatctl/output.hpp"

#include <gtest/gtest.h>

#include <sstream>

using namespace rahat::ctl;

namespace {

TEST(output, the_last_line_of_a_stream_is_its_result) {
  EXPECT_EQ(parse_json(" {\"a\":1} ")->at("a"), 1);
  EXPECT_EQ(parse_json("{\"rows\":1}\n{\"rows\":2}\n{\"rows\":3}\n")->at("rows"), 3);
  EXPECT_FALSE(parse_json(""));
  EXPECT_FALSE(parse_json("<html>"));
  EXPECT_FALSE(parse_json("{\"rows\":1}\n{\"rows\""));
}

TEST(output, tables_are_aligned_and_hold_every_column) {
  std::ostringstream out;
  print_table(out, parse_json(R"([{"path":"root","restarts":0},
                                  {"path":"root/écrit","restarts":12,"note":null}, 5])")
                       ->as_array());
  EXPECT_EQ(out.str(),
            "path        restarts  note\n"
            "root        0\n"
            "root/écrit  12        -\n"
            "\n");
}

TEST(output, fields_are_aligned) {
  std::ostringstream out;
  print_fields(out, parse_json(R"({"a":"x","longer":{"b":1}})")->as_object());
  EXPECT_EQ(out.str(), "  a:      x\n  longer: {\"b\":1}\n");
}

TEST(output, nothing_from_a_node_steers_the_terminal) {
  EXPECT_EQ(plain(boost::json::value("a\x1b[31mb\n")), "a\\x1b[31mb\\x0a");
}

TEST(output, numbers_are_read_however_they_are_held) {
  auto document = *parse_json(R"({"i":-5,"big":18446744073709551615,"f":1.5,"s":"1"})");
  EXPECT_EQ(number(member(document, "i")), -5);
  EXPECT_FALSE(number(member(document, "big")));
  EXPECT_FALSE(number(member(document, "f")));
  EXPECT_FALSE(number(member(document, "s")));
  EXPECT_FALSE(number(member(document, "absent")));
}

} // namespace
