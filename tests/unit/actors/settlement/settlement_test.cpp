#include "actors/vendor/vendor.pb.h"
#include "tests/unit/actors/settlement/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<settlement>;

pb::VendorMessage told_vendor(const scenes::outcome& out) {
  return detail::parsed<pb::VendorMessage>(out.made.told().at(0).bytes, "unreadable");
}

const uuid another_request = derive_id({"another request"});

} // namespace

TEST(settlement_open, refuses_bad_input) {
  std::vector<std::pair<std::string, std::function<void(pb::OpenSettlement&)>>> cases{
      {"vendor", [](auto& o) { o.clear_vendor(); }},
      {"vendor", [](auto& o) { o.set_vendor("1234"); }},
      {"project", [](auto& o) { o.clear_project(); }},
      {"currency", [](auto& o) { o.set_currency("rupees"); }},
  };
  for (auto& [field, spoil] : cases) {
    auto ask = scenes::open();
    spoil(*ask.mutable_open());
    auto out = given_one().when(ask);
    EXPECT_EQ(out.error_name(), "invalid_input") << field;
    EXPECT_EQ(out.refusal ? out.refusal->field : "", field);
  }
}

TEST(settlement_open, asks_project_and_vendor_and_answers_the_client_who_waits) {
  auto asked = given_one().by("asha").request(another_request).when(scenes::open());
  EXPECT_TRUE(asked.made.postponed());
  EXPECT_EQ(asked.made.told().at(0).to, scenes::project);
  auto question = detail::parsed<pb::ProjectMessage>(asked.made.told()[0].bytes, "unreadable");
  EXPECT_TRUE(question.ask().once()) << "what is needed of a project never changes";
  auto known = given_one(asked.after).from(scenes::project).told(scenes::project_fact());
  EXPECT_TRUE(known.made.late_answers().empty()) << "the vendor has not answered";
  EXPECT_EQ(known.made.told().at(0).to, scenes::shop);
  EXPECT_EQ(ref_of(told_vendor(known).check().settlement()), scenes::self);
  auto made = given_one(known.after)
                  .from(scenes::shop)
                  .at(test_now_us + 5)
                  .told(scenes::vendor_fact(pb::VENDOR_SUSPENDED));
  ASSERT_EQ(made.made.late_answers().size(), 1u);
  EXPECT_EQ(made.made.late_answers()[0].request, another_request);
  EXPECT_EQ(made.made.late_answers()[0].http_status, 201u);
  EXPECT_EQ(made.after.created_by(), "asha");
  EXPECT_EQ(made.after.created_us(), test_now_us + 5);
  EXPECT_EQ(made.after.currency(), "NPR");
  EXPECT_EQ(made.after.waiting_request(), "");
}

TEST(settlement_open, refused_leaves_nothing_behind) {
  struct refusal {
    scenes::state before;
    scenes::message told;
    std::string error, field;
  };
  for (auto& [before, told, error, field] : std::vector<refusal>{
           {scenes::opening(), scenes::project_fact(pb::PROJECT_NONE), "not_found", "project_id"},
           {scenes::opening(), scenes::project_in_dollars(), "wrong_currency", "currency"},
           {scenes::opening_vendor(), scenes::vendor_fact(pb::VENDOR_NONE), "not_found",
            "vendor_id"}}) {
    auto out = given_one(before).from(scenes::project).told(told);
    ASSERT_EQ(out.made.late_answers().size(), 1u) << field;
    auto& why = out.made.late_answers()[0].refusal;
    ASSERT_TRUE(why.has_value()) << field;
    EXPECT_EQ(to_string(why->code), error);
    EXPECT_EQ(why->field, field);
    EXPECT_EQ(out.after.SerializeAsString(), "") << field;
    EXPECT_FALSE(settlement::exists(out.after));
  }
}

TEST(settlement_open, refused_keeps_money_that_is_in_suspense) {
  auto out = given_one(scenes::opening()).from(scenes::project).credited(scenes::credit("return"));
  auto now = scenes::after_message(out.after, scenes::project_fact(pb::PROJECT_NONE));
  EXPECT_EQ(now.status(), pb::SETTLEMENT_NONE);
  ASSERT_EQ(settlement::totals(now).size(), 1u);
  EXPECT_EQ(settlement::totals(now)[0].amount_minor, 30);
}

TEST(settlement_open, of_a_closed_project_pays_what_is_still_owed) {
  auto now = scenes::after_message(scenes::opening(), scenes::project_fact(pb::PROJECT_CLOSED));
  now = scenes::after_message(now, scenes::vendor_fact());
  EXPECT_EQ(now.status(), pb::SETTLEMENT_OPEN);
  EXPECT_EQ(now.outside_account(), account_of(scenes::project, "outside", "NPR").raw());
}

TEST(settlement_open, ignores_what_others_say) {
  auto fact = scenes::project_fact();
  fact.mutable_project()->set_project(derive_id({"another project"}).raw());
  EXPECT_EQ(given_one(scenes::opening()).told(fact).events(), "");
  auto shop = scenes::vendor_fact(pb::VENDOR_NONE);
  shop.mutable_vendor()->set_vendor(derive_id({"another vendor"}).raw());
  EXPECT_EQ(given_one(scenes::opening_vendor()).told(shop).events(), "");
}

TEST(settlement_open, is_seen_by_nobody_before_both_have_answered) {
  EXPECT_FALSE(settlement::exists(scenes::opening()));
  EXPECT_FALSE(settlement::exists(scenes::opening_vendor()));
  EXPECT_TRUE(settlement::exists(scenes::opened()));
}

TEST(settlement_request, asks_the_vendor_in_the_currency_of_the_project) {
  auto out = given_one(scenes::opened()).when(scenes::request());
  EXPECT_EQ(out.made.told().at(0).to, scenes::shop);
  auto question = told_vendor(out).quote();
  EXPECT_EQ(question.currency(), "NPR");
  EXPECT_EQ(question.project(), scenes::project.id.raw());
  EXPECT_EQ(ref_of(question.settlement()), scenes::self);
}

TEST(settlement_request, answers_the_client_who_waits) {
  auto now = given_one(scenes::opened()).request(another_request).when(scenes::request()).after;
  auto out = given_one(now).from(scenes::shop).told(scenes::quote());
  ASSERT_EQ(out.made.late_answers().size(), 1u);
  EXPECT_EQ(out.made.late_answers()[0].request, another_request);
  EXPECT_EQ(out.after.quote().sum_minor(), 120);
  EXPECT_EQ(out.after.waiting_request(), "");
}

TEST(settlement_request, tells_the_client_why_not_and_can_be_repeated) {
  auto now = scenes::requesting();
  auto out = given_one(now).from(scenes::shop).told(scenes::quote("there is nothing to settle"));
  ASSERT_EQ(out.made.late_answers().size(), 1u);
  EXPECT_EQ(out.made.late_answers()[0].refusal->message, "there is nothing to settle");
  EXPECT_EQ(out.after.reason(), "there is nothing to settle");
  EXPECT_EQ(given_one(out.after).when(scenes::request()).events(), "requested");
}

TEST(settlement_approve, is_not_for_whoever_requested_it) {
  auto now = scenes::requested();
  EXPECT_EQ(given_one(now).by("maker").when(scenes::approve()).error_name(), "maker_is_checker");
  EXPECT_EQ(
      given_one(now).by("checker").when(scenes::approve(std::string(1'001, 'x'))).error_name(),
      "invalid_input");
}

TEST(settlement_pay, orders_the_payment_and_answers_the_client) {
  auto asked = given_one(scenes::approved()).request(another_request).when(scenes::pay());
  auto order = told_vendor(asked).pay();
  EXPECT_EQ(ref_of(order.settlement()), scenes::self);
  EXPECT_EQ(order.outside_account(), account_of(scenes::project, "outside", "NPR").raw());
  auto out = given_one(asked.after).from(scenes::shop).told(scenes::paid());
  EXPECT_EQ(out.made.late_answers().at(0).request, another_request);
  EXPECT_EQ(out.after.paid_minor(), 120);
  EXPECT_EQ(out.after.paid_us(), test_now_us);
}

TEST(settlement_pay, refused_can_be_asked_again) {
  auto now = scenes::after_message(scenes::paying(), scenes::paid("the vendor is suspended"));
  EXPECT_EQ(now.status(), pb::SETTLEMENT_APPROVED);
  EXPECT_EQ(now.reason(), "the vendor is suspended");
  EXPECT_EQ(scenes::after_command(now, scenes::pay()).status(), pb::SETTLEMENT_PAYING);
}

TEST(settlement_pay, of_another_sum_than_the_approved_parks) {
  auto told = scenes::paid();
  told.mutable_paid()->set_amount_minor(121);
  EXPECT_THROW(given_one(scenes::paying()).told(told), broken_invariant);
}

TEST(settlement_withdraw, frees_the_receipts_and_forgets_quote_and_approval) {
  for (auto& before : {scenes::requested(), scenes::approved()}) {
    auto out = given_one(before).by("asha").when(scenes::withdraw());
    EXPECT_EQ(out.made.told().at(0).to, scenes::shop);
    EXPECT_EQ(ref_of(told_vendor(out).release().settlement()), scenes::self);
    EXPECT_EQ(told_vendor(out).release().currency(), "NPR");
    EXPECT_EQ(out.after.status(), pb::SETTLEMENT_OPEN);
    EXPECT_EQ(out.after.reason(), "withdrawn by asha: a receipt is disputed");
    EXPECT_FALSE(out.after.has_quote());
    EXPECT_EQ(out.after.requested_by(), "");
    EXPECT_EQ(out.after.approved_by(), "");
    EXPECT_EQ(out.made.level(), 1) << "the release before reads it";
  }
  EXPECT_EQ(given_one(scenes::requested())
                .when(scenes::withdraw(std::string(settlement::max_note + 1, 'x')))
                .error_name(),
            "invalid_input");
}

TEST(settlement_withdraw, can_be_requested_anew_and_needs_a_new_approval) {
  auto now = scenes::after_command(scenes::approved(), scenes::withdraw());
  EXPECT_EQ(given_one(now).when(scenes::pay()).error_name(), "wrong_status");
  now = scenes::after_command(now, scenes::request(), "checker");
  now = scenes::after_message(now, scenes::quote());
  EXPECT_EQ(given_one(now).by("checker").when(scenes::approve()).error_name(), "maker_is_checker");
  EXPECT_EQ(scenes::after_command(now, scenes::approve(), "maker").approved_by(), "maker");
}

TEST(settlement, says_when_an_answer_is_on_its_way) {
  EXPECT_EQ(given_one(scenes::requesting()).when(scenes::request()).refusal->message,
            "the settlement is requesting: the vendor's answer is on its way");
  EXPECT_EQ(given_one(scenes::paying()).when(scenes::pay()).refusal->message,
            "the settlement is paying: the vendor's answer is on its way");
}

TEST(settlement_credit, goes_back_or_is_kept_and_counted) {
  auto out = given_one(scenes::all_paid()).from(scenes::project).credited(scenes::credit("gift"));
  EXPECT_EQ(out.made.transfers().at(0).credit_owner, scenes::project);
  EXPECT_TRUE(settlement::totals(out.after).empty());
  out = given_one(scenes::opening()).from(scenes::project).credited(scenes::credit("return"));
  ASSERT_EQ(settlement::totals(out.after).size(), 1u);
  EXPECT_EQ(settlement::totals(out.after)[0].amount_minor, 30);
}

TEST(settlement, lists_by_project_vendor_and_status) {
  auto keys = settlement::keys(scenes::requested());
  EXPECT_EQ(keys.project, scenes::project.id);
  EXPECT_EQ(keys.parent, scenes::shop.id);
  EXPECT_EQ(keys.status, "requested");
}

TEST(settlement, does_not_skip_what_it_cannot_read) {
  scenes::state now;
  EXPECT_THROW(settlement::evolve(now, {}), broken_invariant);
  EXPECT_THROW(given_one().told({}), broken_invariant);
  EXPECT_EQ(given_one(scenes::opened()).when({}).error_name(), "invalid_input");
}

} // namespace rahat::testing
