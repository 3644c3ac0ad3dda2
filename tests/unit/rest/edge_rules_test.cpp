#include "actors/batch/batch.hpp"
#include "actors/batch/batch.pb.h"
#include "actors/disbursement/disbursement.hpp"
#include "actors/disbursement/disbursement.pb.h"
#include "fakes.hpp"
#include "gateways/http/openapi.hpp"
#include "gateways/rest/bounds.hpp"
#include "runtime/decider/account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cctype>
#include <set>

using namespace rahat;
using namespace rahat::test;
using testing::HasSubstr;

/// What the edge promises before a decider is asked: bounds, ids in paths, and the OpenAPI
/// document.
namespace {

namespace json = boost::json;

static_assert(rest::max_batch_ids == disbursement::max_batches, "the decider's number counts");
static_assert(rest::max_redemption_id == batch::max_client_id, "the decider's number counts");

class edge_rules : public testing::Test {
protected:
  json::value document() {
    bed.routes();
    return json::parse(http::openapi_document(bed.routes().routes(), {}));
  }

  /// A purchase whose shop gave it this number.
  http::response buy(const std::string& number) {
    auto batch = id_of("batch");
    return bed.post("/v2/redemptions",
                    R"({"batch_id":")" + batch.str() + R"(","member_id":")" +
                        wallet_of(batch, 0).str() + R"(","vendor_id":")" + id_of("v").str() +
                        R"(","amount_minor":5,"currency":"NPR","code":"123456","id":")" + number +
                        "\"}",
                    "maker");
  }

  rest_test_bed bed;
};

/// "These batches: none" must not be read as "all of them".
TEST_F(edge_rules, an_empty_list_of_batches_pays_nobody) {
  const auto start = R"({"project_id":")" + id_of("p").str() + R"(","name":"W",)";
  for (std::string name : {"batch_ids", "batches"}) {
    auto r = bed.post("/v2/disbursements", start + '"' + name + R"(":[]})", "maker");
    EXPECT_EQ(r.status, 422u) << name;
    EXPECT_EQ(problem_field(r), name);
    EXPECT_THAT(r.body, HasSubstr("leave it out"));
  }
  EXPECT_TRUE(bed.entities.asked.empty());
}

TEST_F(edge_rules, a_disbursement_names_as_many_batches_as_its_decider_takes) {
  auto of = [&](int batches) {
    std::string ids;
    for (int n = 0; n < batches; ++n)
      ids += (n == 0 ? "\"" : ",\"") + id_of("b" + std::to_string(n)).str() + '"';
    return bed.post(
        "/v2/disbursements",
        R"({"project_id":")" + id_of("p").str() + R"(","name":"W","batch_ids":[)" + ids + "]}",
        "maker");
  };
  EXPECT_EQ(of(disbursement::max_batches).status, 201u);
  auto over = of(disbursement::max_batches + 1);
  EXPECT_EQ(over.status, 422u);
  EXPECT_EQ(problem_field(over), "batch_ids");
}

TEST_F(edge_rules, a_shops_number_has_as_many_characters_as_its_decider_takes) {
  const auto letter = std::string("\xe0\xa4\xb0"); // one character of three bytes
  std::string number;
  for (std::size_t n = 0; n < batch::max_client_id; ++n)
    number += letter;
  EXPECT_EQ(buy(number).status, 201u);
  auto over = buy(number + 'x');
  EXPECT_EQ(over.status, 422u);
  EXPECT_EQ(problem_field(over), "id");
  EXPECT_THAT(over.body, HasSubstr("100 characters"));
  EXPECT_EQ(bed.entities.asked.size(), 1u);
  const auto all = document();
  auto& schema = all.at("paths")
                     .at("/v2/redemptions")
                     .at("post")
                     .at("requestBody")
                     .at("content")
                     .at("application/json")
                     .at("schema");
  EXPECT_EQ(schema.at("properties").at("id").at("maxLength").to_number<std::size_t>(),
            batch::max_client_id);
}

/// A request id is made from the path: two spellings of one id are one path, so one key books once.
TEST_F(edge_rules, an_id_in_capitals_is_the_same_request) {
  auto capitals = id_of("project").str();
  std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  ASSERT_NE(capitals, id_of("project").str());
  const std::string funding = R"({"amount_minor":5,"currency":"NPR","reference":"r"})";
  for (auto& id : {id_of("project").str(), capitals})
    bed.post("/v2/projects/" + id + "/fundings", funding, "maker");
  ASSERT_EQ(bed.entities.asked.size(), 2u);
  EXPECT_EQ(bed.entities.asked[0].target, bed.entities.asked[1].target);
  EXPECT_EQ(bed.entities.asked[0].id, bed.entities.asked[1].id);
  EXPECT_EQ(bed.entities.asked[0].payload_hash, bed.entities.asked[1].payload_hash);
}

TEST_F(edge_rules, accounts_are_not_sent_again_while_nothing_has_changed) {
  bed.entities.show({"project", id_of("project")}, R"({"currency":"NPR"})", 7);
  rest_test_bed::call c{"GET", "/v2/projects/" + id_of("project").str() + "/accounts"};
  EXPECT_EQ(header(bed.send(c), "ETag"), "\"7\"");
  c.if_none_match = "\"7\"";
  auto same = bed.send(c);
  EXPECT_EQ(same.status, 304u);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(header(same, "ETag"), "\"7\"");
  c.if_none_match = "\"6\"";
  EXPECT_EQ(bed.send(c).status, 200u);
  std::swap(c.if_match, c.if_none_match);
  EXPECT_EQ(bed.send(c).status, 412u);
}

/// The document promises If-None-Match exactly where a reply carries an ETag and a 304 is answered.
TEST_F(edge_rules, not_modified_is_promised_where_it_is_kept) {
  const auto id = id_of("x").str();
  for (std::string kind :
       {"project", "upload", "batch", "disbursement", "vendor", "redemption", "settlement"})
    bed.entities.show({kind, id_of("x")}, "{}", 7);
  bed.queries.documents[{"redemption", id_of("x")}] = "{}";
  const auto all = document();
  std::set<std::string> promised;
  for (auto& [path, item] : all.at("paths").as_object()) {
    auto* get = item.as_object().if_contains("get");
    if (get == nullptr || path == "/v2/live")
      continue;
    bool promises = get->at("responses").as_object().contains("304");
    bool named = false;
    for (auto& p : get->at("parameters").as_array()) {
      auto* name = p.as_object().if_contains("name");
      named = named || (name != nullptr && name->as_string() == "If-None-Match");
    }
    EXPECT_EQ(promises, named) << path;
    if (promises)
      promised.insert(std::string(path));
    if (path.find("{member}") != std::string::npos || path.ends_with("/members") ||
        path.ends_with("/lines") || path.ends_with("/statement") || path.ends_with("/errors")) {
      EXPECT_FALSE(promises) << path;
      continue;
    }
    std::string target(path);
    if (auto at = target.find("{id}"); at != std::string::npos)
      target.replace(at, 4, id);
    auto r = bed.get(target);
    ASSERT_EQ(r.status, 200u) << target << r.body;
    EXPECT_EQ(header(r, "ETag").empty(), !promises) << target;
  }
  EXPECT_EQ(promised.size(), 7u) << "projects, their accounts, and five other kinds";
}

/// What may be left out is not called required, and the other way round.
TEST_F(edge_rules, a_body_is_required_where_none_is_refused) {
  const auto all = document();
  const auto member = wallet_of(id_of("x"), 0).str();
  int optional = 0;
  for (auto& row : bed.routes().routes()) {
    if (row.body != http::body_kind::json)
      continue;
    auto& body = all.at("paths").at(row.pattern).at("post").at("requestBody");
    auto target = row.pattern;
    for (auto& [name, id] :
         {std::pair<std::string, std::string>{"{id}", id_of("x").str()}, {"{member}", member}})
      if (auto at = target.find(name); at != std::string::npos)
        target.replace(at, name.size(), id);
    auto r = bed.post(target, "");
    const bool refused = r.status >= 400;
    EXPECT_EQ(body.at("required").as_bool(), refused) << row.pattern << r.body;
    optional += refused ? 0 : 1;
  }
  EXPECT_GT(optional, 12);
}

} // namespace
