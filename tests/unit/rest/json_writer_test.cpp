#include "gateways/rest/json_writer.hpp"

#include "gateways/rest/schema.hpp"

#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::rest;

namespace {

TEST(json_writer, writes_each_kind_of_value) {
  json_writer out;
  out.begin_object()
      .text("a", "x\"\\\n\x01y")
      .text_or_null("b", "")
      .number("c", -9'007'199'254'740'993)
      .truth("d", true)
      .id("e", std::string(16, '\xab'))
      .id("f", "")
      .hex("g", std::string("\x00\xff", 2))
      .time("h", 0)
      .status("i", "PROJECT_ACTIVE")
      .begin_array("j")
      .element(std::int64_t(1))
      .element("{}")
      .begin_array()
      .element(std::int64_t(2))
      .end_array()
      .end_array()
      .begin_object("k")
      .end_object()
      .text_of_any_name("l\"", "m")
      .end_object();
  EXPECT_EQ(out.take(),
            R"({"a":"x\"\\\n\u0001y","b":null,"c":-9007199254740993,"d":true,)"
            R"("e":"abababab-abab-abab-abab-abababababab","f":null,"g":"00ff","h":null,)"
            R"("i":"active","j":[1,{},[2]],"k":{},"l\"":"m"})");
}

TEST(json_writer, writes_times_in_utc) {
  EXPECT_EQ(time_text(1'700'000'000'123'456), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(time_text(951'782'399'007'000), "2000-02-28T23:59:59.007Z");
  EXPECT_EQ(time_text(951'868'800'000'000), "2000-03-01T00:00:00.000Z");
  EXPECT_EQ(time_text(951'782'400'000'000), "2000-02-29T00:00:00.000Z");
}

TEST(schema, spells_out_the_shorthand) {
  EXPECT_EQ(object_schema({{"a", "text?"}, {"b?", "int"}}),
            R"({"type":"object","properties":{"a":{"type":["string","null"]},)"
            R"("b":{"type":"integer"}},"required":["a"],"additionalProperties":false})");
  EXPECT_THROW(type_schema("txet"), std::logic_error);
}

} // namespace
