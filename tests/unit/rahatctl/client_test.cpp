#include "apps/rahatctl/client.hpp"

#include "fake_node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

using namespace rahat::ctl;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

TEST(client, gives_status_body_type_and_etag) {
  fake_node node;
  node.on("GET /v2/projects/1?a=b", {200, "{\"x\":1}", "application/json", "ETag: \"7\"\r\n"});
  client c(node.url() + "/", "secret-token");
  auto got = c.get("/v2/projects/1?a=b");
  EXPECT_TRUE(got.ok()) << got.fault;
  EXPECT_EQ(got.body, "{\"x\":1}");
  EXPECT_EQ(got.content_type, "application/json");
  EXPECT_EQ(got.etag, "\"7\"");
  ASSERT_EQ(node.requests().size(), 1U);
  EXPECT_THAT(node.requests()[0].head, HasSubstr("Authorization: Bearer secret-token\r\n"));
}

TEST(client, an_error_status_is_an_answer_and_not_a_fault) {
  fake_node node;
  auto got = client(node.url(), "").get("/nowhere");
  EXPECT_EQ(got.status, 404);
  EXPECT_FALSE(got.ok());
  EXPECT_EQ(got.fault, "");
  EXPECT_THAT(node.requests()[0].head, Not(HasSubstr("Authorization")));
}

TEST(client, posts_carry_the_key_given_or_a_fresh_one) {
  fake_node node;
  node.on("POST /x", {201, "{}"});
  client c(node.url(), "t");
  EXPECT_EQ(c.post("/x", "{\"a\":1}").status, 201);
  EXPECT_EQ(c.post("/x", "{\"a\":1}").status, 201);
  EXPECT_EQ(c.send({.method = "POST", .path = "/x", .idempotency_key = "mine"}).status, 201);
  auto asked = node.requests();
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].body, "{\"a\":1}");
  EXPECT_THAT(asked[0].head, AllOf(HasSubstr("Content-Type: application/json\r\n"),
                                   HasSubstr("Idempotency-Key: "), Not(HasSubstr("Expect:"))));
  auto key = [](const std::string& head) {
    return head.substr(head.find("Idempotency-Key: "), 49);
  };
  EXPECT_NE(key(asked[0].head), key(asked[1].head));
  EXPECT_THAT(asked[2].head, HasSubstr("Idempotency-Key: mine\r\n"));
  EXPECT_EQ(asked[2].body, "");
}

TEST(client, uploads_are_sent_as_they_are_read) {
  fake_node node;
  node.on("POST /v2/projects/1/uploads", {202, "{}"});
  std::string rows;
  for (int i = 0; i < 50'000; ++i)
    rows += "household-" + std::to_string(i) + "\n";
  std::istringstream in(rows);
  auto got = client(node.url(), "t")
                 .send({.method = "POST",
                        .path = "/v2/projects/1/uploads",
                        .content_type = "text/csv",
                        .upload = &in});
  EXPECT_EQ(got.status, 202) << got.fault;
  EXPECT_THAT(node.requests()[0].head, HasSubstr("Content-Type: text/csv\r\n"));
  EXPECT_EQ(node.requests()[0].body, rows);
}

TEST(client, a_node_that_is_not_there_is_a_fault_with_advice) {
  std::string url;
  {
    fake_node gone;
    url = gone.url();
  }
  auto got = client(url, "t").get("/health");
  EXPECT_EQ(got.status, 0);
  EXPECT_THAT(got.fault, AllOf(HasSubstr("nobody answers"), HasSubstr(url)));
  EXPECT_THAT(client("file:///etc", "").get("/passwd").fault, HasSubstr("cannot ask"));
}

TEST(client, gives_up_when_it_is_told_to) {
  fake_node node;
  node.on("GET /slow", {200, "{}"});
  client c(node.url(), "t");
  bool wanted = false;
  c.give_up_when([&] { return wanted; });
  EXPECT_TRUE(c.get("/slow").ok());
  wanted = true;
  EXPECT_THAT(c.get("/slow").fault, HasSubstr("given up"));
}

TEST(client, too_long_an_answer_is_a_fault) {
  fake_node node;
  node.on("GET /big", {200, std::string(max_answer_bytes + 1, 'x')});
  EXPECT_THAT(client(node.url(), "").get("/big").fault, HasSubstr("longer than 64 MiB"));
}

} // namespace
