#include "actors/batch/batch.hpp"
#include "actors/vendor/vendor.pb.h"
#include "tests/unit/actors/batch/fixture.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {
namespace {

TEST(redemption, moves_money_from_the_wallet_to_the_vendors_account) {
  auto out = ready().by("clerk", "operator").when(redeem(400));
  auto& t = out.made.transfers().at(0);
  EXPECT_EQ(t.debit, member(0));
  EXPECT_EQ(t.credit, account_of(a_vendor, "vendor", its_project.id.raw() + "NPR"));
  EXPECT_EQ(t.credit_owner, a_vendor);
  EXPECT_EQ(t.amount_minor, 400);
  EXPECT_EQ(t.reference, member(0).str());
  EXPECT_EQ(t.purpose, purpose_of(batch_self, "redemption", a_vendor.id.raw() + "till 1, no 1"));
  EXPECT_EQ(out.after.balances(0), 600);
  EXPECT_EQ(out.after.redeemed_minor(), 400);
  pb::BatchAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(*out.made.own_answer()));
  EXPECT_EQ(answer.redemption().balance_minor(), 600);
  EXPECT_EQ(answer.redemption().by(), "clerk");
  auto& entry = out.made.published().at(0);
  EXPECT_EQ(entry.kind, "redemption");
  EXPECT_EQ(entry.id, t.purpose);
  EXPECT_EQ(entry.keys.project, its_project.id);
  EXPECT_EQ(entry.keys.parent, a_vendor.id);
  EXPECT_EQ(entry.answer, *out.made.own_answer());
}

TEST(redemption, uses_its_code_up) {
  auto now = then(ready().when(redeem(400)));
  EXPECT_EQ(now.when(redeem(400, "4711", "no 2")).error_name(), "wrong_code");
}

TEST(redemption, can_empty_a_wallet_but_not_more) {
  EXPECT_EQ(ready().when(redeem(1'001)).error_name(), "insufficient_funds");
  auto now = ready();
  EXPECT_EQ(now.when(redeem(INT64_MAX)).error_name(), "insufficient_funds");
  EXPECT_EQ(now.when(redeem(-5)).error_name(), "invalid_input");
  EXPECT_EQ(now.when(redeem(1'000)).after.balances(0), 0);
}

TEST(redemption, too_little_money_costs_no_try) {
  auto out = ready().when(redeem(1'001));
  EXPECT_TRUE(out.plain_error);
  EXPECT_EQ(out.after.codes(0).tries(), 0u);
}

TEST(redemption, an_id_buys_once_whatever_else_is_sent_with_it) {
  auto now = then(then(ready().when(redeem(100))).when(issue()));
  EXPECT_EQ(now.when(redeem(100)).error_name(), "already_exists");
  EXPECT_EQ(now.when(redeem(200)).error_name(), "already_exists");
  EXPECT_EQ(now.when(redeem(100, "4711", "till 1, no 2")).error_name(), "");
}

TEST(redemption, the_same_id_at_two_vendors_is_two_purchases) {
  entity_ref other{"vendor", derive_id({"another vendor"})};
  auto now = then(ready().told(vendor_is(pb::VENDOR_VERIFIED, other)));
  now = then(then(now.when(redeem(100, "4711", "1"))).when(issue()));
  auto out = now.when(redeem(100, "4711", "1", member(0), other));
  EXPECT_EQ(out.error_name(), "");
  EXPECT_EQ(out.after.balances(0), 800);
  auto again = then(then(out).when(issue()));
  EXPECT_EQ(again.when(redeem(100, "4711", "1", member(0), other)).error_name(), "already_exists");
}

TEST(redemption, without_an_id_the_requests_is_used) {
  auto request = derive_id({"the request"});
  auto out = ready().request(request).when(redeem(100, "4711", ""));
  EXPECT_EQ(out.made.transfers().at(0).purpose,
            purpose_of(batch_self, "redemption", request.raw()));
}

TEST(code, bears_five_wrong_tries_and_says_how_many_are_left) {
  auto now = ready();
  std::vector<std::string> said;
  for (int i = 0; i < 6; ++i) {
    auto out = now.when(redeem(100, "0000"));
    said.push_back(out.refusal->message);
    now = then(out);
  }
  EXPECT_EQ(said[0], "the code is wrong, 4 tries left");
  EXPECT_EQ(said[3], "the code is wrong, 1 try left");
  EXPECT_EQ(said[4], "the code is wrong and was the last of 5 tries: issue a new one");
  EXPECT_EQ(now.when(redeem(100, "4711")).error_name(), "code_exhausted"); // even the right one
  EXPECT_EQ(then(now.when(issue())).when(redeem(100)).error_name(), "");
}

TEST(code, lives_ten_minutes) {
  auto last = ready().at(test_now_us + 600'000'000);
  auto fresh = [&](batch_world now) {
    auto known = batch_world(now.state()).as(batch_self).at(now.ctx().now_us);
    auto active = batch_world(known.told(project_is(pb::PROJECT_ACTIVE)).after)
                      .as(batch_self)
                      .at(now.ctx().now_us);
    return batch_world(active.told(vendor_is(pb::VENDOR_VERIFIED)).after)
        .as(batch_self)
        .at(now.ctx().now_us);
  };
  EXPECT_EQ(fresh(last).when(redeem()).error_name(), "");
  EXPECT_EQ(fresh(last.at(test_now_us + 600'000'001)).when(redeem()).error_name(), "code_expired");
}

TEST(code, of_a_member_is_replaced_by_a_new_one) {
  auto now = then(ready().when(issue(member(0), "1234")));
  EXPECT_EQ(now.state().codes_size(), 1);
  EXPECT_EQ(now.when(redeem(100, "4711")).error_name(), "wrong_code");
  EXPECT_EQ(now.when(redeem(100, "1234")).error_name(), "");
}

TEST(code, of_one_member_opens_no_other_wallet) {
  auto now = then(ready().credited(credit_to(member(1), 500)));
  EXPECT_EQ(now.when(redeem(100, "4711", "x", member(1))).error_name(), "wrong_code");
}

TEST(facts, hold_five_minutes_and_are_asked_again) {
  EXPECT_EQ(ready().at(test_now_us + 300'000'000).when(redeem()).events(), "redeemed");
  EXPECT_EQ(ready().at(test_now_us + 300'000'001).when(redeem()).events(),
            "vendor_asked, vendor_asked, redemption_waits");
}

TEST(facts, count_from_their_arrival) {
  auto news = vendor_is(pb::VENDOR_VERIFIED);
  news.mutable_vendor()->set_at_us(1); // another node's clock
  EXPECT_EQ(then(ready().told(news)).when(redeem()).events(), "redeemed");
}

TEST(facts, the_vendor_is_asked_for_this_project_and_currency) {
  auto state = ready().state();
  state.clear_vendors();
  auto out = batch_world(state).as(batch_self).when(redeem());
  pb::VendorMessage question;
  ASSERT_TRUE(question.ParseFromString(out.made.told().at(0).bytes));
  EXPECT_EQ(out.made.told().at(0).to, a_vendor);
  EXPECT_EQ(ref_of(question.ask().asker()), batch_self);
  EXPECT_EQ(question.ask().project(), its_project.id.raw());
  EXPECT_EQ(question.ask().currency(), "NPR");
}

TEST(facts, of_a_thousand_vendors_are_remembered) {
  auto now = ready();
  for (int i = 0; i < batch::max_vendors; ++i)
    now =
        then(now.at(test_now_us + 1 + i)
                 .told(vendor_is(pb::VENDOR_VERIFIED, {"vendor", derive_id({std::to_string(i)})})));
  EXPECT_EQ(now.state().vendors_size(), batch::max_vendors);
  EXPECT_EQ(now.when(redeem()).events(), "vendor_asked, redemption_waits"); // the oldest went
}

TEST(facts, ask_a_project_once_and_wait_for_its_answer) {
  auto state = ready().state();
  state.clear_project();
  auto now = then(batch_world(state).as(batch_self).when(redeem()));
  auto out = now.request(derive_id({"second"})).when(redeem(1, "4711", "no 2"));
  EXPECT_EQ(out.events(), "redemption_waits");
  EXPECT_FALSE(batch::has_work(out.after));
  EXPECT_TRUE(batch::has_work(then(out).told(project_is(pb::PROJECT_ACTIVE)).after));
}

TEST(facts, keep_no_list_of_other_batches) {
  auto news = project_is(pb::PROJECT_ACTIVE);
  news.mutable_project()->add_batches()->set_members(7);
  EXPECT_EQ(ready().told(news).after.project().batches_size(), 0);
}

/// A redemption that waits for its vendor.
class waiting : public ::testing::Test {
protected:
  static batch_world two() {
    auto state = ready().state();
    state.clear_vendors();
    auto now = batch_world(state).as(batch_self);
    now = then(now.request(first_).when(redeem(700)));
    return then(now.request(second_).when(redeem(200, "4711", "no 2")));
  }
  static batch_world heard(pb::VendorStatus status) { return then(two().told(vendor_is(status))); }

  static inline const uuid first_ = derive_id({"first"});
  static inline const uuid second_ = derive_id({"second"});
};

TEST_F(waiting, asks_once) {
  EXPECT_EQ(two().state().vendors_asked_size(), 1);
}

TEST_F(waiting, is_decided_in_order_and_answered_to_its_request) {
  auto first = heard(pb::VENDOR_VERIFIED).proceed();
  EXPECT_EQ(first.events(), "redeemed");
  EXPECT_EQ(first.made.late_answers().at(0).request, first_);
  EXPECT_EQ(first.made.late_answers().at(0).http_status, 201u);
  EXPECT_EQ(first.after.balances(0), 300);
  auto second = then(first).proceed(); // the code went with the first
  EXPECT_EQ(second.events(), "redemption_refused");
  EXPECT_EQ(second.effects(), "later wrong_code");
  EXPECT_EQ(second.made.late_answers().at(0).request, second_);
  EXPECT_EQ(second.after.waiting_size(), 0);
  EXPECT_FALSE(batch::has_work(second.after));
}

TEST_F(waiting, is_refused_when_the_vendor_may_not_sell) {
  auto out = heard(pb::VENDOR_SUSPENDED).proceed();
  EXPECT_EQ(out.effects(), "later vendor_not_active");
  EXPECT_EQ(out.after.balances(0), 1'000);
}

TEST_F(waiting, is_refused_when_the_project_was_suspended_meanwhile) {
  auto out = then(heard(pb::VENDOR_VERIFIED).told(project_is(pb::PROJECT_SUSPENDED))).proceed();
  EXPECT_EQ(out.effects(), "later project_not_active");
}

TEST_F(waiting, is_refused_when_the_batch_was_frozen_meanwhile) {
  auto out = then(heard(pb::VENDOR_VERIFIED).when(freeze())).proceed();
  EXPECT_EQ(out.effects(), "later batch_frozen");
}

TEST_F(waiting, counts_a_wrong_code) {
  auto state = ready().state();
  state.clear_vendors();
  auto now = then(batch_world(state).as(batch_self).when(redeem(100, "0000")));
  auto out = then(now.told(vendor_is(pb::VENDOR_VERIFIED))).proceed();
  EXPECT_EQ(out.events(), "code_failed, redemption_refused");
  EXPECT_EQ(out.effects(), "later wrong_code");
  EXPECT_EQ(out.after.codes(0).tries(), 1u);
}

TEST_F(waiting, asks_again_when_the_answer_has_grown_old) {
  auto now = heard(pb::VENDOR_VERIFIED).at(test_now_us + batch::fact_holds_us + 1);
  auto out = now.proceed();
  EXPECT_EQ(out.events(), "vendor_asked, vendor_asked");
  EXPECT_EQ(out.effects(), "tell project ask, tell vendor ask");
  EXPECT_FALSE(batch::has_work(out.after));
}

TEST_F(waiting, with_an_id_that_bought_meanwhile_is_refused) {
  auto state = ready().state();
  state.clear_vendors();
  auto now = batch_world(state).as(batch_self);
  now = then(now.request(first_).when(redeem(100)));
  now = then(now.request(second_).when(redeem(100)));
  now = then(now.told(vendor_is(pb::VENDOR_VERIFIED)));
  now = then(then(now.proceed()).when(issue()));
  EXPECT_EQ(now.proceed().effects(), "later already_exists");
}

TEST(batch, does_not_skip_an_event_that_it_does_not_know) {
  pb::BatchState now;
  EXPECT_THROW(batch::evolve(now, pb::BatchEvent()), broken_invariant);
}

TEST(batch, never_evolves_into_an_overdrawn_wallet) {
  auto state = ready().state();
  pb::BatchEvent event;
  event.mutable_redeemed()->set_member(0);
  event.mutable_redeemed()->set_amount_minor(1'001);
  EXPECT_THROW(batch::evolve(state, event), broken_invariant);
}

TEST(batch, counts_money_that_it_keeps_for_nobody) {
  auto now = then(ready().credited(credit_to(member(9), 5, "NPR", "return")));
  now = then(now.credited(credit_to(member(0), 7, "USD", "return")));
  auto totals = batch::totals(now.state());
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].amount_minor, 1'005);
  EXPECT_EQ(totals[1].currency, "USD");
  EXPECT_EQ(totals[1].amount_minor, 7);
  EXPECT_EQ(now.state().suspense_minor(), 5);
}

} // namespace
} // namespace rahat::testing
