#include "gateways/http/entity_tag.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>

namespace rahat::http::test {
namespace {

/// What was read, written plainly: "*", or tags with W/ where they are weak; nothing if malformed.
std::optional<std::string> reading(std::string_view field) {
  auto tags = parse_entity_tags(field);
  if (!tags)
    return std::nullopt;
  std::string out = tags->any ? "*" : "";
  for (auto& tag : tags->tags)
    out += (out.empty() ? "" : " ") + std::string(tag.weak ? "W/" : "") + std::string(tag.opaque);
  return out;
}

TEST(entity_tags, are_read_as_rfc_9110_writes_them) {
  struct row {
    const char* field;
    const char* read;
  };
  const row table[] = {
      {R"("7")", "7"},
      {R"(W/"7")", "W/7"},
      {R"("7", "8",W/"9")", "7 8 W/9"},
      {"\t\"7\" ,\t\"8\" ", "7 8"},
      {R"(,"7",,"8",)", "7 8"},
      {",", ""},
      {"", ""},
      {"*", "*"},
      {" * ", "*"},
      {R"("")", ""},
      {R"("a,b", "c")", "a,b c"},
      {R"("*")", "*"},
      {"\"\xc3\xa9\"", "\xc3\xa9"},
      {R"("W/7")", "W/7"},
  };
  for (auto& one : table)
    EXPECT_EQ(reading(one.field), one.read) << one.field;
  EXPECT_FALSE(parse_entity_tags(R"("*")")->any);
  EXPECT_FALSE(parse_entity_tags(R"("W/7")")->tags.at(0).weak);
  EXPECT_EQ(parse_entity_tags(R"("")")->tags.size(), 1U);
}

TEST(entity_tags, nothing_else_is_read) {
  for (auto field :
       {"7", "\"7", "7\"", "'7'", "w/\"7\"", "W/ \"7\"", "W/7", "\"7\" \"8\"", "\"7\";\"8\"",
        "*,\"7\"", "\"7\", *", "**", "\"a b\"", "\"a\x7f\"", "\"a\x01\"", "\"7\"x", "W/", "\""})
    EXPECT_EQ(reading(field), std::nullopt) << field;
}

} // namespace
} // namespace rahat::http::test
