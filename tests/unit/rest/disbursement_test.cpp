#include "actors/disbursement/disbursement.pb.h"
#include "fakes.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/view_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;
using testing::HasSubstr;

namespace {

const uuid id = id_of("disbursement");
const std::string path = "/v2/disbursements/" + id.str();

class disbursements : public testing::Test {
protected:
  rest_test_bed bed;

  pb::DisbursementCommand last() {
    pb::DisbursementCommand c;
    EXPECT_TRUE(c.ParseFromString(bed.entities.asked.back().command));
    return c;
  }
};

TEST_F(disbursements, create) {
  auto r =
      bed.post("/v2/disbursements",
               R"({"project_id":")" + id_of("p").str() + R"(","name":"Winter","batch_ids":[")" +
                   id_of("b").str() + R"("],"amount_minor":500,"currency":"NPR"})",
               "maker");
  ASSERT_EQ(r.status, 201u) << r.body;
  auto c = last().create();
  EXPECT_EQ(c.project(), id_of("p").raw());
  ASSERT_EQ(c.batches_size(), 1);
  EXPECT_EQ(c.batches(0), id_of("b").raw());
  EXPECT_EQ(c.amount_each_minor(), 500);
  EXPECT_EQ(c.currency(), "NPR");
  bed.post("/v2/disbursements", R"({"project_id":")" + id_of("p").str() + R"(","name":"W"})");
  EXPECT_EQ(last().create().batches_size(), 0);
  EXPECT_EQ(last().create().amount_each_minor(), 0);
  EXPECT_EQ(last().create().currency(), "");
}

TEST_F(disbursements, names_that_people_guess_are_taken_too_but_not_both) {
  auto start = R"({"project_id":")" + id_of("p").str() + R"(","name":"W",)";
  auto ids = "[\"" + id_of("b").str() + "\"]";
  auto guessed = R"("batches":)" + ids + R"(,"amount_each_minor":7})";
  auto r = bed.post("/v2/disbursements", start + guessed, "maker");
  ASSERT_EQ(r.status, 201u) << r.body;
  EXPECT_EQ(last().create().amount_each_minor(), 7);
  ASSERT_EQ(last().create().batches_size(), 1);
  EXPECT_EQ(last().create().batches(0), id_of("b").raw());
  auto field = [&](const std::string& rest) {
    return problem_field(bed.post("/v2/disbursements", start + rest, "maker"));
  };
  EXPECT_EQ(field(R"("amount_minor":7,"amount_each_minor":7})"), "amount_each_minor");
  EXPECT_EQ(field(R"("batches":)" + ids + R"(,"batch_ids":)" + ids + "}"), "batches");
  EXPECT_EQ(field(R"("batches":["x"]})"), "batches");
  EXPECT_EQ(field(R"("amount_minor":0})"), "amount_minor");
}

TEST_F(disbursements, bad_creates_name_the_field) {
  auto p = id_of("p").str();
  for (auto& [body, field] : std::vector<std::pair<std::string, std::string>>{
           {R"({"name":"x"})", "project_id"},
           {R"({"project_id":"7","name":"x"})", "project_id"},
           {R"({"project_id":")" + p + R"("})", "name"},
           {R"({"project_id":")" + p + R"(","name":"x","batch_ids":["7"]})", "batch_ids"},
           {R"({"project_id":")" + p + R"(","name":"x","amount_each_minor":-1})",
            "amount_each_minor"},
           {R"({"project_id":")" + p + R"(","name":"x","currency":"nepal"})", "currency"},
           {R"({"project_id":")" + p + R"(","name":"x","currency":"npr"})", "currency"}}) {
    auto r = bed.post("/v2/disbursements", body, "maker");
    EXPECT_EQ(r.status, 422u) << body;
    EXPECT_EQ(problem_field(r), field) << body << r.body;
  }
  EXPECT_TRUE(bed.entities.asked.empty());
}

TEST_F(disbursements, an_approval_names_the_digest_it_has_seen) {
  std::string digest(64, 'a');
  EXPECT_EQ(bed.post(path + "/approve", R"({"digest":")" + digest + R"(","note":"ok"})", "checker")
                .status,
            200u);
  EXPECT_EQ(last().approve().digest(), std::string(32, '\xaa'));
  EXPECT_EQ(last().approve().note(), "ok");
  auto before = bed.entities.asked.size();
  for (auto& bad : {std::string("{}"), std::string(R"({"digest":""})"),
                    R"({"digest":")" + std::string(63, 'a') + "\"}",
                    R"({"digest":")" + std::string(64, 'g') + "\"}"}) {
    auto r = bed.post(path + "/approve", bad, "checker");
    EXPECT_EQ(problem_field(r), "digest") << bad << r.body;
  }
  EXPECT_EQ(bed.entities.asked.size(), before);
}

TEST_F(disbursements, verbs) {
  using command = pb::DisbursementCommand;
  for (auto& [verb, expected] :
       std::vector<std::pair<std::string, command::CommandCase>>{{"lock", command::kLock},
                                                                 {"reject", command::kReject},
                                                                 {"pay", command::kPay},
                                                                 {"pause", command::kPause},
                                                                 {"resume", command::kResume},
                                                                 {"cancel", command::kCancel}}) {
    EXPECT_EQ(bed.post(path + "/" + verb, "{}").status, 200u);
    EXPECT_EQ(last().command_case(), expected);
  }
  bed.post(path + "/reject", R"({"reason":"wrong sum"})");
  EXPECT_EQ(last().reject().reason(), "wrong sum");
  EXPECT_EQ(bed.post(path + "/pay", R"({"now":true})").status, 422u);
}

/// Four chunks of ten lines: applied, decided, applied, not decided.
pb::DisbursementState paying() {
  pb::DisbursementState s;
  s.set_status(pb::DISBURSEMENT_PAYING);
  s.set_list(id_of("list").raw());
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto& chunk = *s.add_chunks();
    chunk.mutable_lines()->set_first(i * 10);
    chunk.mutable_lines()->set_last(i * 10 + 9);
    chunk.set_applied(i == 0 || i == 2);
  }
  s.set_next_chunk(3);
  s.set_lines_decided(30);
  return s;
}

std::vector<std::string> states_in(const http::response& r) {
  std::vector<std::string> out;
  constexpr std::string_view mark = "\"state\":\"";
  for (auto at = r.body.find(mark); at != std::string::npos; at = r.body.find(mark, at + 1)) {
    auto from = at + mark.size();
    out.push_back(r.body.substr(from, r.body.find('"', from) - from));
  }
  return out;
}

TEST_F(disbursements, a_lines_state_follows_from_its_chunk) {
  for (std::uint32_t no = 0; no < 40; ++no)
    bed.queries.pay_lists[id_of("list")].push_back({no, id_of("x"), id_of("w"), id_of("b"), 500});
  auto state = paying();
  auto show = [&] { bed.entities.show({"disbursement", id}, rest::view_of(state, {"d", id}, 1)); };
  show();
  auto states = states_in(bed.get(path + "/lines"));
  ASSERT_EQ(states.size(), 40u);
  for (std::size_t no = 0; no < 40; ++no)
    EXPECT_EQ(states[no], no < 10 || (no >= 20 && no < 30) ? "paid"
                          : no < 30                        ? "posted"
                                                           : "pending")
        << no;
  state.set_status(pb::DISBURSEMENT_CANCELLED);
  show();
  states = states_in(bed.get(path + "/lines"));
  EXPECT_EQ(states[15], "posted");
  EXPECT_EQ(states[35], "cancelled");
}

TEST_F(disbursements, before_anything_is_decided_all_lines_are_pending) {
  bed.queries.pay_lists[id_of("list")].push_back({0, id_of("x"), id_of("w"), id_of("b"), 500});
  auto state = paying();
  for (auto& chunk : *state.mutable_chunks())
    chunk.set_applied(false);
  state.set_next_chunk(0);
  state.set_lines_decided(0);
  bed.entities.show({"disbursement", id}, rest::view_of(state, {"d", id}, 1));
  EXPECT_EQ(states_in(bed.get(path + "/lines")), std::vector<std::string>{"pending"});
}

TEST_F(disbursements, lines_page_by_number) {
  for (std::uint32_t no = 0; no < 7; ++no)
    bed.queries.pay_lists[id_of("list")].push_back({no, id_of("x"), id_of("w"), id_of("b"), 500});
  bed.entities.show({"disbursement", id}, rest::view_of(paying(), {"d", id}, 1));
  auto first = bed.get(path + "/lines?limit=5");
  EXPECT_EQ(states_in(first).size(), 5u);
  EXPECT_THAT(first.body, HasSubstr("\"no\":0,"));
  EXPECT_EQ(rest::view_fields(first.body).text("next"), "4");
  auto second = bed.get(path + "/lines?limit=5&cursor=4");
  EXPECT_EQ(states_in(second).size(), 2u);
  EXPECT_THAT(second.body, HasSubstr("\"next\":null"));
  EXPECT_EQ(bed.get(path + "/lines?cursor=x").status, 422u);
  EXPECT_EQ(bed.get(path + "/lines?cursor=99999999999").status, 422u) << "wider than a line number";
}

TEST_F(disbursements, a_draft_shows_the_currency_that_its_project_told) {
  pb::DisbursementState s;
  s.set_status(pb::DISBURSEMENT_DRAFT);
  s.mutable_details()->set_currency("NPR");
  EXPECT_EQ(rest::view_fields(rest::view_of(s, {"d", id}, 1)).text("currency"), "NPR");
}

TEST_F(disbursements, a_draft_has_no_lines) {
  pb::DisbursementState s;
  s.set_status(pb::DISBURSEMENT_DRAFT);
  bed.entities.show({"disbursement", id}, rest::view_of(s, {"d", id}, 1));
  EXPECT_EQ(bed.get(path + "/lines").body, R"({"items":[],"next":null})");
}

} // namespace
