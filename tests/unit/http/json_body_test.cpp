#include "gateways/http/json_body.hpp"

#include <gtest/gtest.h>

namespace rahat::http::test {
namespace {

struct sample {
  std::string name;
  std::int64_t amount = 0;
  std::optional<std::int64_t> days;
  std::string currency;
  std::optional<std::string> mode;
  bool urgent = false;
  std::vector<std::string> tags;
  std::int64_t inner = 0;
  std::vector<std::int64_t> lines;
};

std::optional<error> read(std::string_view body, sample& out) {
  json_reader in(body);
  out.name = in.require_string("name", 10);
  out.amount = in.require_amount("amount_minor");
  out.days = in.optional_int64("days", -5, 365);
  out.currency = in.require_currency("currency");
  out.mode = in.optional_one_of("mode", {"all", "skip-bad"});
  out.urgent = in.optional_bool("urgent", false);
  out.tags = in.optional_strings("tags", 2, 5);
  in.optional_object("inner", [&](json_reader& i) { out.inner = i.require_int64("n"); });
  in.optional_objects("lines", 3,
                      [&](json_reader& l) { out.lines.push_back(l.require_amount("a")); });
  return in.finish();
}

TEST(json_reader_test, reads_a_good_body) {
  sample s;
  auto wrong = read(R"( {"name":"\u00e9\ud83d\ude00","amount_minor":9223372036854775807,"days":-5,
    "currency":"NPR","mode":"all","urgent":true,"tags":["a","bcdef"],"inner":{"n":-3},
    "lines":[{"a":1},{"a":2}]} )",
                    s);
  ASSERT_FALSE(wrong) << wrong->message;
  EXPECT_EQ(s.name, "\u00e9\U0001F600");
  EXPECT_EQ(s.amount, 9223372036854775807);
  EXPECT_EQ(s.days, -5);
  EXPECT_EQ(s.currency, "NPR");
  EXPECT_EQ(s.mode, "all");
  EXPECT_TRUE(s.urgent);
  EXPECT_EQ(s.tags, (std::vector<std::string>{"a", "bcdef"}));
  EXPECT_EQ(s.inner, -3);
  EXPECT_EQ(s.lines, (std::vector<std::int64_t>{1, 2}));
}

TEST(json_reader_test, null_is_absent) {
  sample s;
  EXPECT_FALSE(
      read(R"({"name":"a","amount_minor":1,"currency":"NPR","days":null,"mode":null})", s));
  EXPECT_FALSE(s.days);
  EXPECT_FALSE(s.mode);
}

struct bad {
  std::string body;
  errc code;
  const char* field;
  const char* holds;
};

std::string plus(std::string_view more) {
  return R"({"name":"a","amount_minor":1,"currency":"NPR",)" + std::string(more) + "}";
}

TEST(json_reader_test, refuses_bad_bodies_by_name) {
  const auto invalid = errc::invalid_input;
  const auto malformed = errc::malformed_body;
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  const std::vector<bad> table = {
      {"", malformed, "", "empty"},
      {"  \n", malformed, "", "empty"},
      {"{", malformed, "", "JSON"},
      {"[]", malformed, "", "object"},
      {"1", malformed, "", "object"},
      {"nul", malformed, "", "JSON"},
      {"{'a':1}", malformed, "", "JSON"},
      {R"({"name":"a",})", malformed, "", "JSON"},
      {R"({"name":"a"} x)", malformed, "", ""},
      {R"({"name":"a"}{})", malformed, "", ""},
      {"{\"name\":\"\xff\"}", malformed, "", "JSON"},
      {R"({"name":"\ud800"})", malformed, "", "JSON"},
      {"{\"name\":\"a\nb\"}", malformed, "", "JSON"},
      {R"({"name":NaN})", malformed, "", "JSON"},
      {R"({"name":01})", malformed, "", "JSON"},
      {plus("\"x\":" + deep), malformed, "", "32"},
      {plus("\"" + std::string(300, 'k') + "\":1"), malformed, "", "too long"},
      {R"({"name":"a\u0000b"})", invalid, "name", "U+0000"},
      {R"({"inner":{"n\u0000":1}})", invalid, "n", "U+0000"},
      {R"({"name":"a","name":"b"})", invalid, "name", "twice"},
      {plus(R"("inner":{"n":1,"z":2,"n":1})"), invalid, "n", "twice"},
      {R"({"amount_minor":1,"currency":"NPR"})", invalid, "name", "missing"},
      {R"({"name":null,"amount_minor":1})", invalid, "name", "missing"},
      {R"({"name":"","amount_minor":1})", invalid, "name", "empty"},
      {R"({"name":"12345678901"})", invalid, "name", "at most 10"},
      {R"({"name":7})", invalid, "name", "text"},
      {R"({"name":["a"]})", invalid, "name", "text"},
      {R"({"name":"a","amount_minor":-1})", invalid, "amount_minor", "from 1"},
      {R"({"name":"a","amount_minor":0})", invalid, "amount_minor", "from 1"},
      {R"({"name":"a","amount_minor":"5"})", invalid, "amount_minor", "whole number"},
      {R"({"name":"a","amount_minor":1.5})", invalid, "amount_minor", "whole number"},
      {R"({"name":"a","amount_minor":1.0})", invalid, "amount_minor", "whole number"},
      {R"({"name":"a","amount_minor":1e3})", invalid, "amount_minor", "whole number"},
      {R"({"name":"a","amount_minor":true})", invalid, "amount_minor", "whole number"},
      {R"({"name":"a","amount_minor":9223372036854775808})", invalid, "amount_minor", "whole"},
      {R"({"name":"a","amount_minor":99999999999999999999999})", invalid, "amount_minor", "whole"},
      {R"({"name":"a","amount_minor":-9223372036854775809})", invalid, "amount_minor", "whole"},
      {plus(R"("days":366)"), invalid, "days", "365"},
      {plus(R"("days":-6)"), invalid, "days", "-5"},
      {R"({"name":"a","amount_minor":1,"currency":"npr"})", invalid, "currency", "capital"},
      {R"({"name":"a","amount_minor":1,"currency":"NPRS"})", invalid, "currency", "three"},
      {plus(R"("mode":"some")"), invalid, "mode", "all, skip-bad"},
      {plus(R"("mode":1)"), invalid, "mode", "all, skip-bad"},
      {plus(R"("urgent":1)"), invalid, "urgent", "true or false"},
      {plus(R"("tags":"a")"), invalid, "tags", "list"},
      {plus(R"("tags":["a","b","c"])"), invalid, "tags", "at most 2"},
      {plus(R"("tags":["a",1])"), invalid, "tags[1]", "text"},
      {plus(R"("tags":["abcdef"])"), invalid, "tags[0]", "at most 5"},
      {plus(R"("inner":[])"), invalid, "inner", "object"},
      {plus(R"("inner":{})"), invalid, "inner.n", "missing"},
      {plus(R"("inner":{"n":1,"m":2})"), invalid, "inner.m", "known are: n"},
      {plus(R"("lines":[{"a":1},{"a":-1}])"), invalid, "lines[1].a", "from 1"},
      {plus(R"("lines":[7])"), invalid, "lines[0]", "object"},
      {plus(R"("extra":1)"), invalid, "extra", "known are: name, amount_minor"},
  };
  for (auto& one : table) {
    sample s;
    auto wrong = read(one.body, s);
    ASSERT_TRUE(wrong) << one.body;
    EXPECT_EQ(wrong->code, one.code) << one.body << " " << wrong->message;
    EXPECT_EQ(wrong->field, one.field) << one.body << " " << wrong->message;
    EXPECT_NE(wrong->message.find(one.holds), std::string::npos)
        << one.body << " " << wrong->message;
  }
}

TEST(json_reader_test, keeps_a_rule_of_the_resource) {
  json_reader in(R"({"from":3,"to":2})");
  auto from = in.require_int64("from");
  auto to = in.require_int64("to");
  if (to < from)
    in.reject("to", "must not lie before from");
  auto wrong = in.finish();
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->message, "to must not lie before from");
}

} // namespace
} // namespace rahat::http::test
