#include "gateways/http/problem.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <iterator>
#include <set>

namespace rahat::http::test {
namespace {

namespace json = boost::json;

TEST(problem_test, has_the_shape_of_rfc_9457) {
  auto r = problem(error{errc::wrong_status, "only a \"locked\" one", "status"});
  EXPECT_EQ(r.status, 409u);
  EXPECT_EQ(r.content_type, "application/problem+json");
  auto o = json::parse(r.body).as_object();
  EXPECT_EQ(o.at("type").as_string(), "https://rahat.io/problems/wrong_status");
  EXPECT_EQ(o.at("status").to_number<int>(), 409);
  EXPECT_EQ(o.at("detail").as_string(), "only a \"locked\" one");
  EXPECT_EQ(o.at("code").as_string(), "wrong_status");
  EXPECT_EQ(o.at("field").as_string(), "status");
  EXPECT_FALSE(o.at("title").as_string().empty());
  EXPECT_FALSE(
      json::parse(problem(error{errc::not_found, "x", ""}).body).as_object().contains("field"));
}

TEST(problem_test, every_code_has_a_status_a_title_and_a_type_of_its_own) {
  std::set<std::string> names;
  EXPECT_EQ(all_errcs().size(), static_cast<std::size_t>(errc::moved) + 1);
  for (auto code : all_errcs()) {
    EXPECT_GE(status_of(code), 400u);
    EXPECT_LT(status_of(code), 600u);
    EXPECT_FALSE(title_of(code).empty());
    EXPECT_TRUE(names.insert(std::string(to_string(code))).second);
  }
  for (auto what : all_edge_problems())
    EXPECT_TRUE(names.insert(std::string(to_string(what))).second);
}

TEST(problem_test, retryable_ones_say_when) {
  for (auto code : all_errcs()) {
    auto r = problem(error{code, "m", {}});
    auto has = [&](std::string_view name) {
      for (auto& [key, value] : r.headers)
        if (key == name)
          return !value.empty();
      return false;
    };
    EXPECT_EQ(has("Retry-After"), is_retryable(code)) << to_string(code);
    EXPECT_EQ(has("WWW-Authenticate"), code == errc::unauthenticated);
    if (is_retryable(code)) {
      EXPECT_TRUE(r.status == 503 || r.status == 504 || r.status == 409) << to_string(code);
    }
  }
}

TEST(problem_test, every_code_stands_in_the_document) {
  std::ifstream file(RAHAT_SOURCE_DIR "/docs/problems.md");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  auto stands = [&](std::string_view name, unsigned status, bool retry) {
    auto line = "| " + std::string(name) + " | " + std::to_string(status) + " | " +
                (retry ? "yes" : "") + " |";
    EXPECT_NE(page.find(line), std::string::npos) << line;
  };
  for (auto code : all_errcs())
    stands(to_string(code), status_of(code), is_retryable(code));
  for (auto what : all_edge_problems())
    stands(to_string(what), status_of(what), false);
}

} // namespace
} // namespace rahat::http::test
