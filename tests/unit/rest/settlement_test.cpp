#include "actors/settlement/settlement.pb.h"
#include "fakes.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/statement.hpp"
#include "gateways/rest/view_fields.hpp"

#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;

namespace {

const uuid id = id_of("settlement");
const std::string path = "/v2/settlements/" + id.str();

class settlements : public testing::Test {
protected:
  rest_test_bed bed;

  pb::SettlementCommand last() {
    pb::SettlementCommand c;
    EXPECT_TRUE(c.ParseFromString(bed.entities.asked.back().command));
    return c;
  }

  std::vector<std::int64_t> statement(const std::string& query) {
    return joined(bed.pages(path + "/statement?" + query, "no"));
  }
};

TEST_F(settlements, are_led_from_open_to_paid) {
  auto r = bed.post("/v2/settlements", R"({"vendor_id":")" + id_of("v").str() +
                                           R"(","project_id":")" + id_of("p").str() + "\"}");
  EXPECT_EQ(r.status, 201u) << r.body;
  EXPECT_EQ(last().open().vendor(), id_of("v").raw());
  EXPECT_EQ(last().open().project(), id_of("p").raw());
  bed.post(path + "/request", "");
  EXPECT_TRUE(last().has_request());
  bed.post(path + "/approve", R"({"note":"seen"})");
  EXPECT_EQ(last().approve().note(), "seen");
  bed.post(path + "/pay", "");
  EXPECT_TRUE(last().has_pay());
  bed.post(path + "/withdraw", R"({"reason":"a receipt is disputed"})");
  EXPECT_EQ(last().withdraw().reason(), "a receipt is disputed");
  EXPECT_EQ(problem_field(bed.post("/v2/settlements", R"({"vendor_id":"x"})")), "vendor_id");
}

TEST_F(settlements, a_statement_holds_exactly_the_receipts_that_are_paid_for) {
  bed.give_receipts(40);
  bed.show_settlement(id, 10, 20);
  std::vector<std::int64_t> expected = {20, 19, 17, 16, 14, 13, 11, 10};
  for (auto query : {"limit=200", "limit=1", "limit=3", "limit=8"})
    EXPECT_EQ(statement(query), expected) << query;
  auto& q = bed.queries.listed.front();
  EXPECT_EQ(q.kind, "receipt");
  EXPECT_EQ(q.parent, id_of("vendor"));
  EXPECT_EQ(q.project, id_of("project"));
}

TEST_F(settlements, one_request_looks_through_a_bounded_number_of_pages) {
  bed.give_receipts(5'000);
  bed.show_settlement(id, 1, 10);
  auto before = bed.queries.listed.size();
  auto r = bed.get(path + "/statement?limit=50");
  EXPECT_EQ(bed.queries.listed.size() - before,
            static_cast<std::size_t>(rest::max_statement_pages));
  EXPECT_NE(rest::view_fields(r.body).text("next"), "");
  EXPECT_EQ(statement("limit=50"), (std::vector<std::int64_t>{10, 8, 7, 5, 4, 2, 1}));
}

TEST_F(settlements, nothing_requested_is_an_empty_statement) {
  bed.give_receipts(40);
  bed.show_settlement(id, 0, 0);
  EXPECT_EQ(bed.get(path + "/statement").body, R"({"items":[],"next":null})");
  EXPECT_TRUE(bed.queries.listed.empty());
}

} // namespace
