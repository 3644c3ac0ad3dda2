#include "gateways/http/openapi.hpp"

#include "gateways/http/text.hpp"
#include "tests/unit/http/client.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <set>
#include <stdexcept>

namespace rahat::http::test {
namespace {

namespace json = boost::json;

class openapi_test : public edge_test {};

TEST_F(openapi_test, describes_every_route) {
  add_openapi_route(routes, {});
  start();
  auto got = ask(get("/v2/openapi.json"));
  ASSERT_EQ(got.status, 200u);
  auto document = json::parse(got.body).as_object();
  EXPECT_EQ(document.at("openapi").as_string(), "3.1.0");
  EXPECT_TRUE(document.at("info").as_object().contains("version"));
  auto& paths = document.at("paths").as_object();
  std::set<std::string> ids;
  for (auto& row : routes) {
    ASSERT_TRUE(paths.contains(row.pattern)) << row.pattern;
    auto& item = paths.at(row.pattern).as_object();
    auto verb = to_lower(to_string(row.verb));
    ASSERT_TRUE(item.contains(verb)) << row.pattern;
    auto& operation = item.at(verb).as_object();
    EXPECT_TRUE(ids.insert(operation.at("operationId").as_string().c_str()).second) << row.pattern;
    EXPECT_TRUE(operation.at("tags").is_array());
    auto& responses = operation.at("responses").as_object();
    EXPECT_TRUE(responses.contains(std::to_string(row.success))) << row.pattern;
    auto& other = responses.at("default").as_object();
    EXPECT_TRUE(other.at("content").as_object().contains("application/problem+json"));
    EXPECT_EQ(operation.contains("requestBody"), row.body != body_kind::none) << row.pattern;
    auto open = row.pattern == "/health";
    EXPECT_EQ(operation.at("security").as_array().empty(), open) << row.pattern;
  }
}

TEST_F(openapi_test, lists_parameters_and_the_key) {
  auto document = json::parse(openapi_document(routes, {})).as_object();
  auto& paths = document.at("paths").as_object();
  auto names = [&](const char* path, const char* verb) {
    std::vector<std::string> out;
    auto& list = paths.at(path).as_object().at(verb).as_object().at("parameters").as_array();
    for (auto& p : list) {
      auto& o = p.as_object();
      out.push_back(o.contains("$ref") ? o.at("$ref").as_string().c_str()
                                       : o.at("name").as_string().c_str());
    }
    return out;
  };
  EXPECT_EQ(names("/v2/things/{id}/parts/{part}/act", "post"),
            (std::vector<std::string>{"id", "part", "If-Match"}));
  EXPECT_EQ(names("/v2/things", "get"), (std::vector<std::string>{"cursor", "limit"}));
  EXPECT_EQ(names("/v2/things", "post"),
            (std::vector<std::string>{"#/components/parameters/IdempotencyKey"}));
  auto& parts = document.at("components").as_object();
  EXPECT_TRUE(parts.at("parameters").as_object().contains("IdempotencyKey"));
  EXPECT_TRUE(parts.at("securitySchemes").as_object().contains("bearer"));
  EXPECT_TRUE(parts.at("schemas").as_object().contains("Problem"));
}

TEST_F(openapi_test, promises_not_modified_where_the_route_says_so) {
  for (auto& row : routes)
    row.has_etag = row.pattern == "/v2/things/{id}";
  auto document = json::parse(openapi_document(routes, {})).as_object();
  auto promises = [&](const char* path) {
    auto& get = document.at("paths").at(path).at("get").as_object();
    auto named = json::serialize(get.at("parameters")).find("If-None-Match") != std::string::npos;
    EXPECT_EQ(get.at("responses").as_object().contains("304"), named) << path;
    return named;
  };
  EXPECT_TRUE(promises("/v2/things/{id}"));
  EXPECT_FALSE(promises("/v2/things"));
}

TEST_F(openapi_test, a_body_is_required_where_a_field_is) {
  auto required = [&](std::string schema) {
    for (auto& row : routes)
      if (row.pattern == "/v2/things" && row.verb == method::post)
        row.request_schema = schema;
    auto document = json::parse(openapi_document(routes, {})).as_object();
    auto& post = document.at("paths").at("/v2/things").at("post");
    return post.at("requestBody").at("required").as_bool();
  };
  EXPECT_TRUE(required("")) << "nothing is known of it";
  EXPECT_TRUE(required(R"({"type":"object","required":["name"]})"));
  EXPECT_FALSE(required(R"({"type":"object","properties":{"reason":{"type":"string"}}})"));
  EXPECT_FALSE(required(R"({"type":"object","required":[]})"));
}

TEST_F(openapi_test, names_what_the_edge_refuses_anywhere) {
  auto document = json::parse(openapi_document(routes, {})).as_object();
  auto& shared = document.at("components").as_object().at("responses").as_object();
  for (auto& [path, item] : document.at("paths").as_object())
    for (auto& [verb, operation] : item.as_object()) {
      auto& responses = operation.as_object().at("responses").as_object();
      auto live = path == "/v2/live";
      EXPECT_EQ(responses.contains("405"), !live) << path; // another method is a 426 there
      EXPECT_TRUE(responses.contains("431")) << path;
      EXPECT_EQ(responses.contains("504"), !live) << path;
      EXPECT_EQ(responses.contains("412"), verb == "post") << path;
      for (auto& [status, response] : responses) {
        auto& named = response.as_object();
        if (!named.contains("$ref"))
          continue;
        auto ref = std::string(named.at("$ref").as_string().c_str());
        EXPECT_TRUE(shared.contains(ref.substr(ref.rfind('/') + 1))) << ref;
      }
    }
}

TEST_F(openapi_test, describes_the_web_socket_and_its_frames) {
  auto document = json::parse(openapi_document(routes, {})).as_object();
  auto& live = document.at("paths").at("/v2/live").as_object().at("get").as_object();
  auto& responses = live.at("responses").as_object();
  for (auto status : {"101", "401", "426", "503"})
    EXPECT_TRUE(responses.contains(status)) << status;
  EXPECT_FALSE(responses.at("101").as_object().contains("content"));
  auto& server = live.at("x-frames").at("server").at("properties").as_object();
  for (auto field : {"topic", "token", "type", "at", "data"})
    EXPECT_TRUE(server.contains(field)) << field;
  auto& client = live.at("x-frames").at("client").at("properties").as_object();
  EXPECT_TRUE(client.contains("subscribe") && client.contains("after"));
  openapi_info without;
  without.live_path = "";
  EXPECT_EQ(openapi_document(routes, without).find("/v2/live"), std::string::npos);
}

TEST_F(openapi_test, a_broken_schema_is_found_at_start) {
  routes[0].response_schema = "{";
  EXPECT_THROW(openapi_document(routes, {}), std::logic_error);
}

} // namespace
} // namespace rahat::http::test
