#include "gateways/rest/presenters.hpp"

#include "fakes.hpp"
#include "gateways/http/openapi.hpp"
#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/view_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

using namespace rahat;
using namespace rahat::test;
using testing::HasSubstr;
using testing::Not;
namespace json = boost::json;

namespace {

class presenters : public testing::Test {
protected:
  rest_test_bed bed;

  /// The response schema of a route.
  json::object schema_of(const std::string& pattern, http::method verb = http::method::get) {
    for (auto& row : bed.routes().routes())
      if (row.pattern == pattern && row.verb == verb)
        return json::parse(row.response_schema).as_object();
    ADD_FAILURE() << "no such route: " << pattern;
    return {};
  }

  static bool fits(const json::value& v, const json::object& schema) {
    auto* type = schema.if_contains("type");
    if (!type)
      return true;
    json::array types = type->is_array() ? type->get_array() : json::array{*type};
    for (auto& t : types) {
      auto& name = t.as_string();
      if ((name == "null" && v.is_null()) || (name == "string" && v.is_string()) ||
          (name == "integer" && v.is_int64()) || (name == "boolean" && v.is_bool()) ||
          (name == "array" && v.is_array()) || (name == "object" && v.is_object()))
        return true;
    }
    return false;
  }

  /// Every field is declared with its type, and every required one is there.
  static void expect_fits(const std::string& text, const json::object& schema) {
    auto doc = json::parse(text).as_object();
    auto& properties = schema.at("properties").as_object();
    for (auto& field : doc) {
      auto* declared = properties.if_contains(field.key());
      ASSERT_TRUE(declared) << field.key() << " is not in the schema";
      EXPECT_TRUE(fits(field.value(), declared->as_object())) << field.key() << " in " << text;
      if (auto* words = declared->as_object().if_contains("enum");
          words && field.value().is_string()) {
        auto& list = words->as_array();
        EXPECT_TRUE(std::find(list.begin(), list.end(), field.value()) != list.end())
            << field.key() << " is " << field.value();
      }
    }
    for (auto& name : schema.at("required").as_array())
      EXPECT_TRUE(doc.contains(name.as_string())) << name << " is missing";
  }
};

const entity_ref self{"x", id_of("self")};

TEST_F(presenters, project) {
  pb::ProjectState s;
  s.set_status(pb::PROJECT_ACTIVE);
  s.mutable_details()->set_name("Winter \"cash\"");
  s.mutable_details()->set_currency("NPR");
  s.set_budget_minor(70);
  s.set_outside_minor(-100);
  s.set_created_us(1'700'000'000'123'456);
  s.add_reservations()->set_amount_minor(30);
  auto text = rest::view_of(s, self, 12);
  expect_fits(text, schema_of("/v2/projects/{id}"));
  rest::view_fields view(text);
  EXPECT_EQ(view.text("id"), self.id.str());
  EXPECT_EQ(view.number("version"), 12);
  EXPECT_EQ(view.text("status"), "active");
  EXPECT_EQ(view.text("name"), "Winter \"cash\"");
  EXPECT_EQ(view.number("reserved_minor"), 30);
  EXPECT_EQ(view.number("outside_minor"), -100);
  EXPECT_EQ(view.text("created_at"), "2023-11-14T22:13:20.123Z");
  EXPECT_THAT(text, HasSubstr(R"("starts_on":null)"));
}

TEST_F(presenters, every_status_of_every_kind_is_in_its_schema) {
  for (int i = 1; pb::ProjectStatus_IsValid(i); ++i) {
    pb::ProjectState s;
    s.set_status(static_cast<pb::ProjectStatus>(i));
    expect_fits(rest::view_of(s, self, 1), schema_of("/v2/projects/{id}"));
  }
  for (int i = 1; pb::UploadStatus_IsValid(i); ++i) {
    pb::UploadState s;
    s.set_project(std::string(16, 'p'));
    s.set_status(static_cast<pb::UploadStatus>(i));
    expect_fits(rest::view_of(s, self, 1), schema_of("/v2/uploads/{id}"));
  }
  for (int i = 1; pb::BatchStatus_IsValid(i); ++i) {
    pb::BatchState s;
    if (i == pb::BATCH_ENROLLING)
      continue; // never shown
    s.mutable_enrol()->set_project(std::string(16, 'p'));
    s.mutable_enrol()->set_upload(std::string(16, 'u'));
    s.set_status(static_cast<pb::BatchStatus>(i));
    expect_fits(rest::view_of(s, self, 1), schema_of("/v2/batches/{id}"));
  }
  for (int i = 1; pb::DisbursementStatus_IsValid(i); ++i) {
    pb::DisbursementState s;
    if (i == pb::DISBURSEMENT_OPENING)
      continue; // never shown
    s.mutable_details()->set_project(std::string(16, 'p'));
    s.set_status(static_cast<pb::DisbursementStatus>(i));
    expect_fits(rest::view_of(s, self, 1), schema_of("/v2/disbursements/{id}"));
  }
  for (int i = 1; pb::VendorStatus_IsValid(i); ++i) {
    pb::VendorState s;
    s.set_status(static_cast<pb::VendorStatus>(i));
    expect_fits(rest::view_of(s, self, 1), schema_of("/v2/vendors/{id}"));
  }
  for (int i = 1; pb::SettlementStatus_IsValid(i); ++i) {
    pb::SettlementState s;
    if (i == pb::SETTLEMENT_OPENING)
      continue; // never shown
    s.mutable_details()->set_project(std::string(16, 'p'));
    s.mutable_details()->set_vendor(std::string(16, 'v'));
    s.set_status(static_cast<pb::SettlementStatus>(i));
    expect_fits(rest::view_of(s, self, 1), schema_of("/v2/settlements/{id}"));
  }
}

TEST_F(presenters, answers) {
  pb::ProjectAnswer funding;
  funding.mutable_funding()->set_id(std::string(16, '\1'));
  funding.mutable_funding()->set_project(std::string(16, '\2'));
  funding.mutable_funding()->set_at_us(1);
  expect_fits(rest::render_of(funding),
              schema_of("/v2/projects/{id}/fundings", http::method::post));
  pb::BatchAnswer redeemed;
  auto& done = *redeemed.mutable_redemption();
  for (auto* id : {done.mutable_id(), done.mutable_project(), done.mutable_batch(),
                   done.mutable_member(), done.mutable_vendor()})
    *id = std::string(16, '\3');
  done.set_at_us(1);
  expect_fits(rest::render_of(redeemed), schema_of("/v2/redemptions", http::method::post));
  pb::VendorAnswer receipt;
  for (auto* id :
       {receipt.mutable_receipt()->mutable_id(), receipt.mutable_receipt()->mutable_vendor(),
        receipt.mutable_receipt()->mutable_project()})
    *id = std::string(16, '\4');
  auto statement = schema_of("/v2/settlements/{id}/statement");
  expect_fits(rest::render_of(receipt),
              statement.at("properties").at("items").at("items").as_object());
}

TEST_F(presenters, a_batch_shows_no_members_before_its_upload_is_accepted) {
  pb::BatchState s;
  s.set_persons(std::string(16 * 5, 'p'));
  s.set_status(pb::BATCH_ENROLLING);
  EXPECT_EQ(rest::view_fields(rest::view_of(s, self, 1)).number("members"), 0);
  s.set_status(pb::BATCH_OPEN);
  EXPECT_EQ(rest::view_fields(rest::view_of(s, self, 1)).number("members"), 5);
}

TEST_F(presenters, paid_chunks_are_joined_into_ranges) {
  pb::DisbursementState s;
  auto chunk = [&](std::uint32_t first, std::uint32_t last, bool applied) {
    auto& c = *s.add_chunks();
    c.mutable_lines()->set_first(first);
    c.mutable_lines()->set_last(last);
    c.set_applied(applied);
  };
  chunk(1, 1000, true);
  chunk(1001, 2000, true);
  chunk(2001, 2500, false);
  chunk(3001, 4000, true);
  chunk(10'001, 10'200, true); // nobody has the numbers between: another batch
  chunk(10'201, 10'300, false);
  s.set_next_chunk(6);
  rest::view_fields view(rest::view_of(s, self, 1));
  using ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;
  EXPECT_EQ(view.ranges("paid_lines"), (ranges{{1, 2000}, {3001, 10'200}}));
  EXPECT_EQ(view.number("posted_through_line"), 10'300);
}

TEST_F(presenters, vendor_accounts) {
  pb::VendorState s;
  auto& a = *s.add_accounts();
  a.set_account(std::string(16, 'a'));
  a.set_project(std::string(16, 'b'));
  a.set_currency("NPR");
  auto doc = json::parse(rest::view_of(s, self, 1)).as_object();
  auto item = schema_of("/v2/vendors/{id}").at("properties").at("accounts").at("items").as_object();
  expect_fits(json::serialize(doc.at("accounts").at(0)), item);
}

TEST_F(presenters, the_table_makes_an_openapi_document) {
  auto doc = json::parse(http::openapi_document(bed.routes().routes(), {})).as_object();
  auto& paths = doc.at("paths").as_object();
  for (auto path : {"/v2/projects",
                    "/v2/projects/{id}",
                    "/v2/projects/{id}/activate",
                    "/v2/projects/{id}/suspend",
                    "/v2/projects/{id}/close",
                    "/v2/projects/{id}/fundings",
                    "/v2/projects/{id}/accounts",
                    "/v2/projects/{id}/uploads",
                    "/v2/uploads/{id}",
                    "/v2/uploads/{id}/errors",
                    "/v2/batches",
                    "/v2/batches/{id}",
                    "/v2/batches/{id}/members",
                    "/v2/batches/{id}/members/{member}",
                    "/v2/batches/{id}/members/{member}/codes",
                    "/v2/disbursements",
                    "/v2/disbursements/{id}",
                    "/v2/disbursements/{id}/lock",
                    "/v2/disbursements/{id}/approve",
                    "/v2/disbursements/{id}/reject",
                    "/v2/disbursements/{id}/pay",
                    "/v2/disbursements/{id}/pause",
                    "/v2/disbursements/{id}/resume",
                    "/v2/disbursements/{id}/cancel",
                    "/v2/disbursements/{id}/lines",
                    "/v2/vendors",
                    "/v2/vendors/{id}/verify",
                    "/v2/vendors/{id}/suspend",
                    "/v2/vendors/{id}/reactivate",
                    "/v2/redemptions",
                    "/v2/settlements",
                    "/v2/settlements/{id}/request",
                    "/v2/settlements/{id}/approve",
                    "/v2/settlements/{id}/pay",
                    "/v2/settlements/{id}/withdraw",
                    "/v2/settlements/{id}/statement"})
    EXPECT_TRUE(paths.contains(path)) << path;
}

TEST_F(presenters, every_post_needs_an_idempotency_key_and_names_its_roles) {
  for (auto& row : bed.routes().routes()) {
    if (row.verb != http::method::post)
      continue;
    EXPECT_TRUE(row.needs_idempotency_key) << row.pattern;
    EXPECT_FALSE(row.roles.empty()) << row.pattern;
    for (auto& role : row.roles)
      EXPECT_NE(role, "reader") << row.pattern;
  }
}

} // namespace
