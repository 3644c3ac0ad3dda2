#include "tests/unit/actors/flows/world.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

constexpr std::uint64_t seeds = 25;

/// An active project with three registers in batches of 1,203, 40 and 7 members of 100 each.
void settle_in(world& w) {
  w.activate();
  w.fund(1'000'000);
  w.upload_register(1'203, 100, 0);
  w.upload_register(40, 100, 10'000);
  w.upload_register(7, 100, 20'000);
  w.play().run();
  ASSERT_EQ(w.batches().size(), 3u);
}

/// Locks, approves and orders the payment.
entity_ref order_payment(world& w, std::int64_t amount_each_minor = 0) {
  auto d = w.create_disbursement(amount_each_minor);
  EXPECT_TRUE(w.lock(d).ok());
  w.play().run();
  EXPECT_TRUE(w.approve(d).ok()) << w.disbursement_state(d).reason();
  EXPECT_TRUE(w.pay(d).ok());
  return d;
}

} // namespace

TEST(whole_flow, from_the_register_to_the_settled_vendor) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world w(seed);
    settle_in(w);
    auto d = order_payment(w);
    auto v = w.register_vendor();
    ASSERT_TRUE(w.verify(v).ok());
    w.play().run();
    auto paid = w.disbursement_state(d);
    EXPECT_EQ(paid.status(), pb::DISBURSEMENT_COMPLETED);
    EXPECT_EQ(paid.lines_paid(), 1'250u);
    EXPECT_EQ(paid.paid_minor(), 125'000);
    EXPECT_TRUE(w.play().is_open(uuid::from_raw(paid.reserve_account())));

    auto shop = w.batches().at(0);
    for (std::uint32_t member = 0; member < 10; ++member) {
      w.redeem(shop, member, v, 60);
      w.stir();
    }
    w.play().run();
    EXPECT_TRUE(w.play().is_open(vendor::account_for(v.id, w.project().id, "NPR")));
    EXPECT_EQ(w.vendors_minor(), 600);

    auto s = w.open_settlement(v);
    w.stir();
    w.request(s);
    w.play().run();
    ASSERT_EQ(w.settlement_state(s).quote().sum_minor(), 600);
    ASSERT_TRUE(w.approve_settlement(s).ok());
    auto paying = w.pay_settlement(s);
    EXPECT_TRUE(paying.pending);
    auto request = w.play().last_request();
    w.play().run();
    EXPECT_EQ(w.play().reply_to(s, request).status, 200u);
    EXPECT_EQ(w.settlement_state(s).status(), pb::SETTLEMENT_PAID);
    EXPECT_EQ(w.vendors_minor(), 0);
    EXPECT_EQ(w.outside_minor(), 600 - 1'000'000);
    w.check_at_rest();
    EXPECT_TRUE(w.close().ok()) << "nothing is reserved any more";
    w.play().run();
    w.check_at_rest();
  }
}

TEST(whole_flow, spending_while_others_are_still_being_paid) {
  std::int64_t spent = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world w(seed);
    settle_in(w);
    auto v = w.register_vendor();
    w.verify(v);
    order_payment(w);
    while (w.play().step())
      if (w.draw(3) == 0)
        w.redeem(w.batches()[w.draw(3)], static_cast<std::uint32_t>(w.draw(7)), v, 30);
    w.check_at_rest();
    spent += w.vendors_minor();
  }
  EXPECT_GT(spent, 0);
}

TEST(whole_flow, two_rounds_pay_twice_and_no_more) {
  world w(3);
  settle_in(w);
  auto first = order_payment(w);
  auto second = order_payment(w, 20);
  w.play().run();
  EXPECT_EQ(w.disbursement_state(first).paid_minor(), 125'000);
  EXPECT_EQ(w.disbursement_state(second).paid_minor(), 25'000);
  EXPECT_EQ(w.wallets_minor(), 150'000);
  w.check_at_rest();
}

TEST(whole_flow, a_household_in_two_batches_is_found_before_anything_is_locked) {
  world w(4);
  w.activate();
  w.fund(1'000'000);
  w.upload_register(10, 100, 0);
  w.upload_register(10, 100, 8); // persons 8 and 9 again
  w.play().run();
  auto d = w.create_disbursement();
  w.lock(d);
  w.play().run();
  auto now = w.disbursement_state(d);
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_DRAFT);
  EXPECT_EQ(now.reason().find("lines_rejected: 2 lines pay a person"), 0u) << now.reason();
  for (auto& b : w.batches())
    EXPECT_EQ(w.play().state_of<batch>(b.id).locks_size(), 0);
  w.check_at_rest();
}

TEST(whole_flow, a_budget_too_small_leads_back_to_locked) {
  world w(5);
  w.activate();
  w.fund(999);
  w.upload_register(10, 100, 0);
  w.play().run();
  auto d = order_payment(w);
  w.play().run();
  EXPECT_EQ(w.disbursement_state(d).status(), pb::DISBURSEMENT_LOCKED);
  EXPECT_NE(w.disbursement_state(d).reason(), "");
  EXPECT_EQ(w.pay(d).error_name(), "wrong_status") << "it needs another approval";
  w.fund(1);
  EXPECT_TRUE(w.approve(d).ok());
  EXPECT_TRUE(w.pay(d).ok());
  w.play().run();
  EXPECT_EQ(w.disbursement_state(d).status(), pb::DISBURSEMENT_COMPLETED);
  w.check_at_rest();
}

TEST(whole_flow, a_cancel_that_races_the_reserve_gives_the_money_back) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world w(seed);
    settle_in(w);
    auto d = order_payment(w);
    w.stir(10); // the reserve may be asked, on its way, here, or partly paid
    ASSERT_TRUE(w.cancel(d).ok());
    w.play().run();
    auto now = w.disbursement_state(d);
    EXPECT_EQ(now.status(), pb::DISBURSEMENT_CANCELLED);
    EXPECT_EQ(now.reserve_minor(), 0);
    EXPECT_EQ(w.budget_minor(), 1'000'000 - now.paid_minor());
    for (auto& b : w.batches())
      EXPECT_EQ(w.play().state_of<batch>(b.id).locks_size(), 0);
    w.check_at_rest();
    EXPECT_TRUE(w.close().ok()) << "the reservation has ended";
  }
}

TEST(whole_flow, a_suspended_project_stops_paying_until_a_person_resumes) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world w(seed);
    settle_in(w);
    auto d = order_payment(w);
    while (w.disbursement_state(d).status() != pb::DISBURSEMENT_PAYING)
      ASSERT_TRUE(w.play().step());
    w.play().hold(d, w.batches()[0]); // one chunk cannot arrive, so it cannot be completed
    w.suspend();
    w.play().run();
    ASSERT_EQ(w.disbursement_state(d).status(), pb::DISBURSEMENT_PAUSED);
    EXPECT_EQ(w.resume(d).error_name(), "project_not_active");
    w.activate();
    w.play().run();
    EXPECT_EQ(w.disbursement_state(d).status(), pb::DISBURSEMENT_PAUSED);
    EXPECT_TRUE(w.resume(d).ok());
    w.play().release();
    w.play().run();
    EXPECT_EQ(w.disbursement_state(d).status(), pb::DISBURSEMENT_COMPLETED);
    w.check_at_rest();
  }
}

TEST(whole_flow, what_a_withdrawn_settlement_held_another_one_settles) {
  world w(8);
  settle_in(w);
  auto v = w.register_vendor();
  w.verify(v);
  order_payment(w);
  w.play().run();
  auto b = w.batches()[0];
  w.redeem(b, 0, v, 10);
  w.play().run();
  auto first = w.open_settlement(v);
  w.request(first);
  w.play().run();
  ASSERT_EQ(w.settlement_state(first).quote().sum_minor(), 10);
  ASSERT_TRUE(w.approve_settlement(first).ok());
  w.redeem(b, 1, v, 20);
  w.play().run();

  auto second = w.open_settlement(v);
  w.request(second);
  w.play().run();
  EXPECT_EQ(w.settlement_state(second).status(), pb::SETTLEMENT_OPEN) << "the first one holds them";
  ASSERT_TRUE(w.withdraw(first).ok());
  w.play().run();
  w.request(second);
  w.play().run();
  ASSERT_EQ(w.settlement_state(second).quote().sum_minor(), 30);
  w.approve_settlement(second);
  w.pay_settlement(second);
  w.play().run();
  EXPECT_EQ(w.settlement_state(second).paid_minor(), 30);
  EXPECT_EQ(w.pay_settlement(first).error_name(), "wrong_status");
  EXPECT_EQ(w.vendors_minor(), 0);
  w.check_at_rest();
}

TEST(whole_flow, a_redemption_that_races_the_suspension_is_held_not_settled) {
  world w(6);
  settle_in(w);
  auto v = w.register_vendor();
  w.verify(v);
  order_payment(w);
  w.play().run();
  auto b = w.batches()[0];
  w.redeem(b, 0, v, 10);
  w.play().run();
  w.play().hold(v, b); // the batch does not know yet
  ASSERT_TRUE(w.suspend(v).ok());
  EXPECT_TRUE(w.redeem(b, 1, v, 20).ok());
  w.play().release();
  w.play().run();
  EXPECT_EQ(w.redeem(b, 2, v, 20).error_name(), "vendor_not_active") << "now it knows";
  EXPECT_EQ(w.play().state_of<vendor>(v.id).held(), 1u);

  auto s = w.open_settlement(v);
  w.play().run();
  w.request(s);
  auto request = w.play().last_request();
  w.play().run();
  EXPECT_EQ(w.play().reply_to(s, request).error_name(), "wrong_status");
  EXPECT_EQ(w.settlement_state(s).status(), pb::SETTLEMENT_OPEN);
  w.reactivate(v);
  w.request(s);
  w.play().run();
  EXPECT_EQ(w.settlement_state(s).quote().sum_minor(), 30);
  w.check_at_rest();
}

TEST(whole_flow, a_register_of_two_batches_is_paid_in_chunks) {
  world w(7);
  w.activate();
  w.fund(2'000'000);
  w.upload_register(10'001, 100, 0);
  w.play().run();
  ASSERT_EQ(w.batches().size(), 2u);
  auto d = order_payment(w);
  w.play().run();
  auto now = w.disbursement_state(d);
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_COMPLETED);
  EXPECT_EQ(now.chunks_size(), 11);
  EXPECT_EQ(now.lines_paid(), 10'001u);
  EXPECT_EQ(now.chunks(10).lines().first(), 10'000u) << "the second batch starts its own block";
  w.check_at_rest();
}

} // namespace rahat::testing
