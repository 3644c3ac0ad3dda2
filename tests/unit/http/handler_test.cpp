#include "gateways/http/handler.hpp"

#include <gtest/gtest.h>

namespace rahat::http::test {
namespace {

TEST(responder_test, delivers_the_first_answer_only) {
  std::vector<unsigned> seen;
  {
    responder done([&](response r) { seen.push_back(r.status); });
    auto copy = done;
    copy({201, "", "", {}});
    done({202, "", "", {}});
  }
  EXPECT_EQ(seen, (std::vector<unsigned>{201}));
}

TEST(responder_test, answers_503_once_when_the_last_copy_goes_unused) {
  std::vector<unsigned> seen;
  {
    responder done([&](response r) { seen.push_back(r.status); });
    { auto copy = done; }
    EXPECT_TRUE(seen.empty());
  }
  EXPECT_EQ(seen, (std::vector<unsigned>{503}));
}

TEST(request_test, finds_parameters_by_name) {
  request ask;
  ask.params = {{"id", "7"}};
  ask.query = {{"a", "1"}, {"a", "2"}};
  EXPECT_EQ(ask.param("id"), "7");
  EXPECT_EQ(ask.query_value("a"), "1");
  EXPECT_FALSE(ask.query_value("b"));
}

} // namespace
} // namespace rahat::http::test
