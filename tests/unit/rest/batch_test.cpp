#include "actors/batch/batch.pb.h"
#include "fakes.hpp"
#include "gateways/rest/members.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/view_fields.hpp"
#include "runtime/decider/account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;
using testing::HasSubstr;
using testing::Not;

namespace {

const uuid batch = id_of("batch");
const uuid upload = id_of("upload");
const std::string path = "/v2/batches/" + batch.str();

class batches : public testing::Test {
protected:
  batches() {
    auto rows = bed.trust.rows_of(upload);
    for (std::uint32_t ordinal = 100; ordinal < 110; ++ordinal) {
      auto number = std::to_string(ordinal);
      auto box = rows.seal(ordinal + 1, R"({"external_ref":"HH-)" + number +
                                            R"(","name":"Asha Rai","phone":"+977981234)" + number +
                                            R"(","birth_date":"1984-03-27"})");
      bed.queries.uploads[upload].push_back(
          {ordinal, ordinal + 1, id_of("person " + number), 500, box.sealed, box.wrapped_key});
    }
    show("open");
  }

  /// The batch answers as its decider does: 8 members of the rows 100 to 109 without 101 and 105.
  void show(const std::string& status) {
    bed.entities.decide = [this, status](const rahat::request& r) -> fake_entities::outcome {
      EXPECT_EQ(r.target, (entity_ref{"batch", batch}));
      EXPECT_TRUE(r.id.is_nil()) << "a question is not remembered";
      pb::BatchCommand c;
      EXPECT_TRUE(c.ParseFromString(r.command));
      if (status == "enrolling")
        return error{errc::wrong_status, "the batch's register is not accepted yet", {}};
      wire::Reply reply;
      reply.set_status(200);
      reply.set_body(rest::render_of(answer(c.list_members())));
      return reply;
    };
  }

  static pb::BatchAnswer answer(const pb::ListMembers& ask) {
    pb::BatchAnswer out;
    auto& list = *out.mutable_members();
    list.set_total(8);
    list.set_upload(upload.raw());
    std::uint32_t index = 0;
    for (std::uint32_t ordinal = 100; ordinal < 110; ++ordinal) {
      if (ordinal == 101 || ordinal == 105)
        continue;
      auto at = index++;
      if (at < ask.from_index() || at - ask.from_index() >= ask.limit())
        continue;
      auto& one = *list.add_members();
      one.set_index(at);
      one.set_ordinal(ordinal);
      one.set_wallet(wallet_of(batch, at).raw());
      one.set_person(id_of("person " + std::to_string(ordinal)).raw());
      one.set_amount_minor(500);
      one.set_balance_minor(10 * at);
    }
    return out;
  }

  rest_test_bed bed;
};

TEST_F(batches, members_are_opened_for_those_who_work_with_them) {
  for (auto role : {"maker", "checker", "operator", "admin"}) {
    auto r = bed.get(path + "/members?limit=3", role);
    ASSERT_EQ(r.status, 200u) << r.body;
    EXPECT_THAT(r.body, HasSubstr("\"name\":\"Asha Rai\"")) << role;
    EXPECT_THAT(r.body, HasSubstr("HH-102"));
    EXPECT_THAT(r.body, Not(HasSubstr("HH-101"))) << "an excluded row is no member";
    EXPECT_EQ(rest::view_fields(r.body).text("next"), "3");
    EXPECT_THAT(r.body, HasSubstr(wallet_of(batch, 1).str()));
  }
}

TEST_F(batches, readers_see_masks) {
  auto r = bed.get(path + "/members", "reader");
  ASSERT_EQ(r.status, 200u);
  EXPECT_THAT(r.body, HasSubstr("\"personal\":\"masked\""));
  EXPECT_THAT(r.body, HasSubstr(R"("name":"A***")"));
  for (auto secret : {"Asha", "1984", "HH-10", "977"})
    EXPECT_THAT(r.body, Not(HasSubstr(secret)));
  auto unknown_role = bed.get(path + "/members", "auditor");
  EXPECT_THAT(unknown_role.body, Not(HasSubstr("Asha")));
}

TEST_F(batches, members_page_to_the_end) {
  std::string cursor;
  int seen = 0;
  for (int page = 0; page < 10; ++page) {
    auto r = bed.get(path + "/members?limit=3" + (cursor.empty() ? "" : "&cursor=" + cursor));
    for (auto at = r.body.find("person_id"); at != std::string::npos;
         at = r.body.find("person_id", at + 1))
      ++seen;
    cursor = rest::view_fields(r.body).text("next");
    if (cursor.empty())
      break;
  }
  EXPECT_EQ(seen, 8);
  EXPECT_EQ(bed.get(path + "/members?cursor=-1").status, 422u);
  EXPECT_EQ(bed.get(path + "/members?cursor=999999").body, R"({"items":[],"next":null})");
}

TEST_F(batches, erased_and_damaged_persons_are_told_apart) {
  auto& rows = bed.queries.uploads[upload];
  rows[0].wrapped_key.clear();
  rows[2].sealed.back() = static_cast<char>(rows[2].sealed.back() ^ 1);
  auto r = bed.get(path + "/members?limit=2", "maker");
  EXPECT_THAT(r.body, HasSubstr(R"("personal":"erased","person":null)"));
  EXPECT_THAT(r.body, HasSubstr(R"("personal":"damaged","person":null)"));
}

TEST_F(batches, nobody_is_shown_before_the_upload_is_accepted) {
  show("enrolling");
  auto r = bed.get(path + "/members", "maker");
  EXPECT_EQ(r.status, 409u);
  EXPECT_THAT(r.body, Not(HasSubstr("Asha")));
}

TEST_F(batches, members_show_what_their_wallets_hold) {
  auto r = bed.get(path + "/members?limit=2&cursor=3", "maker");
  ASSERT_EQ(r.status, 200u) << r.body;
  EXPECT_THAT(r.body, HasSubstr(R"("amount_minor":500,"balance_minor":30)"));
  EXPECT_THAT(r.body, HasSubstr(R"("balance_minor":40)"));
  EXPECT_THAT(r.body, HasSubstr(id_of("person 104").str()));
}

TEST_F(batches, one_member_can_be_read) {
  auto at = path + "/members/";
  auto r = bed.get(at + wallet_of(batch, 4).str(), "maker");
  ASSERT_EQ(r.status, 200u) << r.body;
  rest::view_fields one(r.body);
  EXPECT_EQ(one.text("id"), wallet_of(batch, 4).str());
  EXPECT_EQ(one.number("index"), 4);
  EXPECT_EQ(one.number("row"), 107);
  EXPECT_EQ(one.number("balance_minor"), 40);
  EXPECT_EQ(one.text("personal"), "open");
  EXPECT_THAT(bed.get(at + wallet_of(batch, 4).str(), "reader").body, Not(HasSubstr("Asha")));
  for (auto& unknown :
       {wallet_of(batch, 8).str(), wallet_of(id_of("other"), 1).str(), std::string("42")})
    EXPECT_EQ(bed.get(at + unknown, "maker").status, 404u) << unknown;
}

TEST_F(batches, a_member_whose_row_is_gone_keeps_its_wallet) {
  bed.queries.uploads[upload].clear();
  auto r = bed.get(path + "/members/" + wallet_of(batch, 2).str(), "maker");
  ASSERT_EQ(r.status, 200u) << r.body;
  EXPECT_THAT(r.body, HasSubstr(R"("row":null)"));
  EXPECT_THAT(r.body, HasSubstr(R"("balance_minor":20,"personal":"damaged","person":null)"));
}

TEST_F(batches, an_unknown_batch_has_no_members) {
  bed.entities.decide = [](const rahat::request&) -> fake_entities::outcome {
    return error{errc::not_found, "there is no such batch", {}};
  };
  EXPECT_EQ(bed.get(path + "/members", "maker").status, 404u);
  EXPECT_EQ(bed.get("/v2/batches/42/members", "maker").status, 404u);
}

TEST_F(batches, a_code_is_shown_once_more_to_a_retry_and_never_told_to_the_batch) {
  bed.entities.decide = [](const rahat::request&) -> fake_entities::outcome {
    wire::Reply reply;
    reply.set_status(200);
    reply.set_body(R"({"member_id":"m","expires_at":"t","tries_left":5})");
    return reply;
  };
  auto member = wallet_of(batch, 3);
  auto at = path + "/members/" + member.str() + "/codes";
  auto r = bed.post(at, "", "operator");
  ASSERT_EQ(r.status, 201u) << r.body;
  auto code = rest::view_fields(r.body).text("code");
  EXPECT_EQ(code.size(), 6u);
  EXPECT_EQ(bed.post(at, "", "operator").body, r.body);
  auto& ask = bed.entities.asked.at(0);
  EXPECT_EQ(ask.target, (entity_ref{"batch", batch}));
  EXPECT_EQ(ask.command.find(code), std::string::npos);
  pb::BatchCommand c;
  c.ParseFromString(ask.command);
  EXPECT_EQ(c.issue_code().member(), member.raw());
  EXPECT_EQ(c.issue_code().code_hash(), bed.trust.code_hash(member, code));
  for (auto& other : {wallet_of(id_of("other batch"), 3).str(), std::string("42")})
    EXPECT_EQ(bed.post(path + "/members/" + other + "/codes", "", "operator").status, 404u);
}

std::string redemption(const std::string& member, const std::string& code = "123456",
                       const std::string& amount = "500", const std::string& currency = "NPR") {
  return R"({"batch_id":")" + batch.str() + R"(","member_id":")" + member + R"(","vendor_id":")" +
         id_of("vendor").str() + R"(","amount_minor":)" + amount + R"(,"currency":")" + currency +
         R"(","code":")" + code + R"(","id":"phone-1"})";
}

TEST_F(batches, a_redemption_goes_to_the_wallets_batch) {
  auto member = wallet_of(batch, 3);
  bed.entities.decide = [](const rahat::request&) -> fake_entities::outcome {
    wire::Reply reply;
    reply.set_status(200);
    reply.set_body(R"({"id":"11111111-2222-8333-8444-555555555555"})");
    return reply;
  };
  auto r = bed.post("/v2/redemptions", redemption(member.str()), "operator");
  ASSERT_EQ(r.status, 201u) << r.body;
  EXPECT_EQ(header(r, "Location"), "/v2/redemptions/11111111-2222-8333-8444-555555555555");
  auto& ask = bed.entities.asked.at(0);
  EXPECT_EQ(ask.target, (entity_ref{"batch", batch}));
  pb::BatchCommand c;
  c.ParseFromString(ask.command);
  EXPECT_EQ(c.redeem().member(), member.raw());
  EXPECT_EQ(c.redeem().vendor(), id_of("vendor").raw());
  EXPECT_EQ(c.redeem().amount_minor(), 500);
  EXPECT_EQ(c.redeem().client_id(), "phone-1");
  EXPECT_EQ(c.redeem().code_hash(), bed.trust.code_hash(member, "123456"));
  EXPECT_EQ(ask.command.find("123456"), std::string::npos);
}

TEST_F(batches, bad_redemptions_name_the_field) {
  auto member = wallet_of(batch, 3).str();
  for (auto& [body, field] : std::vector<std::pair<std::string, std::string>>{
           {redemption("42"), "member_id"},
           {redemption(wallet_of(id_of("other"), 0).str()), "member_id"},
           {redemption(member, "12345"), "code"},
           {redemption(member, "12345a"), "code"},
           {redemption(member, "123456", "-5"), "amount_minor"},
           {redemption(member, "123456", "0"), "amount_minor"},
           {redemption(member, "123456", "9e99"), "amount_minor"},
           {redemption(member, "123456", "5", "rupees"), "currency"},
           {"{}", "batch_id"}}) {
    auto r = bed.post("/v2/redemptions", body, "operator");
    EXPECT_EQ(r.status, 422u) << body << r.body;
    EXPECT_EQ(problem_field(r), field) << body;
  }
  EXPECT_TRUE(bed.entities.asked.empty());
}

TEST_F(batches, redemptions_are_read_from_what_was_published) {
  bed.queries.documents[{"redemption", id_of("r")}] = R"({"id":"r"})";
  EXPECT_EQ(bed.get("/v2/redemptions/" + id_of("r").str()).body, R"({"id":"r"})");
  bed.get("/v2/redemptions?vendor=" + id_of("v").str() + "&project=" + id_of("p").str());
  EXPECT_EQ(bed.queries.listed.back().kind, "redemption");
  EXPECT_EQ(bed.queries.listed.back().parent, id_of("v"));
}

} // namespace
