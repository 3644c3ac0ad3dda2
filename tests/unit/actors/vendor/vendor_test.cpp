#include "actors/settlement/settlement.pb.h"
#include "tests/unit/actors/vendor/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<vendor>;
using namespace scenes;

pb::SettlementMessage told_settlement(const outcome& out) {
  return detail::parsed<pb::SettlementMessage>(out.made.told().at(0).bytes, "unreadable");
}

pb::VendorFact told_batch(const outcome& out, std::size_t i = 0) {
  return detail::parsed<pb::BatchMessage>(out.made.told().at(i).bytes, "unreadable").vendor();
}

const entity_ref other{"settlement", derive_id({"another settlement"})};

} // namespace

TEST(vendor_register, refuses_bad_input) {
  std::vector<std::pair<std::string, std::function<void(pb::RegisterVendor&)>>> cases{
      {"name", [](auto& r) { r.clear_name(); }},
      {"name", [](auto& r) { r.set_name(std::string(201, 'x')); }},
      {"name", [](auto& r) { r.set_name(std::string("a\0b", 3)); }},
      {"location", [](auto& r) { r.set_location(std::string(201, 'x')); }},
      {"external_ref", [](auto& r) { r.set_external_ref(std::string(201, 'x')); }},
  };
  for (auto& [field, spoil] : cases) {
    auto ask = enter();
    spoil(*ask.mutable_register_());
    auto out = given_one().when(ask);
    EXPECT_EQ(out.error_name(), "invalid_input") << field;
    EXPECT_EQ(out.refusal ? out.refusal->field : "", field);
  }
}

TEST(vendor_verify, is_not_for_whoever_registered_it) {
  EXPECT_EQ(given_one(registered()).by("maker").when(verify()).error_name(), "maker_is_checker");
}

TEST(vendor_suspend, needs_a_reason) {
  EXPECT_EQ(given_one(verified()).when(suspend("")).error_name(), "invalid_input");
  EXPECT_EQ(suspended().reason(), "complaints");
}

TEST(vendor_reactivate, leads_back_to_where_it_was) {
  auto unverified = after_command(registered(), suspend());
  EXPECT_EQ(after_command(unverified, reactivate()).status(), pb::VENDOR_REGISTERED);
  EXPECT_EQ(after_command(suspended(), reactivate()).status(), pb::VENDOR_VERIFIED);
}

TEST(vendor_status, is_told_at_once_to_everybody_who_asked) {
  entity_ref second{"batch", derive_id({"second"})};
  auto now = after_message(verified(), ask(second));
  auto out = given_one(now).at(test_now_us + 5).when(suspend());
  ASSERT_EQ(out.made.told().size(), 2u);
  EXPECT_EQ(out.made.told()[0].to, batch);
  EXPECT_EQ(out.made.told()[1].to, second);
  auto fact = told_batch(out, 1);
  EXPECT_EQ(fact.status(), pb::VENDOR_SUSPENDED);
  EXPECT_EQ(fact.changed_us(), test_now_us + 5);
  EXPECT_EQ(fact.vendor(), self.id.raw());
  EXPECT_EQ(fact.name(), "Shyam's shop");
}

TEST(vendor_ask, opens_an_account_once_for_a_project_and_currency) {
  auto first = given_one(after_command({}, enter())).from(batch).told(ask());
  ASSERT_EQ(first.made.accounts().size(), 1u);
  auto& opened = first.made.accounts()[0];
  EXPECT_EQ(opened.first, account());
  EXPECT_EQ(opened.last, account());
  EXPECT_EQ(opened.project, project.id);
  EXPECT_EQ(opened.currency, "NPR");
  EXPECT_EQ(vendor::account_for(self.id, project.id, "NPR"), account());
  auto again = given_one(first.after).from(batch).told(ask());
  EXPECT_EQ(again.events(), "");
  EXPECT_EQ(again.effects(), "tell batch vendor");
}

TEST(vendor_ask, of_nobody_records_nothing) {
  auto out = given_one().from(batch).told(ask());
  EXPECT_EQ(out.events(), "");
  EXPECT_EQ(told_batch(out).status(), pb::VENDOR_NONE);
}

TEST(vendor_ask, beyond_the_bound_of_askers_is_answered_all_the_same) {
  auto now = verified();
  while (now.askers_size() < vendor::max_askers)
    assign(*now.add_askers(), {"batch", derive_id({std::to_string(now.askers_size())})});
  entity_ref late{"batch", derive_id({"late"})};
  auto out = given_one(now).from(late).told(ask(late));
  EXPECT_EQ(out.events(), "");
  EXPECT_EQ(told_batch(out).status(), pb::VENDOR_VERIFIED);
}

TEST(vendor_ask, beyond_the_bound_of_accounts_nothing_can_be_paid) {
  auto now = verified();
  while (now.accounts_size() < vendor::max_accounts)
    now.add_accounts()->set_account(derive_id({std::to_string(now.accounts_size())}).raw());
  auto out = given_one(now).from(batch).told(ask(batch, "USD"));
  EXPECT_EQ(out.effects(), "tell batch vendor");
  EXPECT_EQ(told_batch(out).status(), pb::VENDOR_NONE);
  EXPECT_EQ(told_batch(given_one(now).from(batch).told(ask())).status(), pb::VENDOR_VERIFIED);
}

TEST(vendor_ask, for_no_currency_opens_nothing) {
  auto out = given_one(verified()).from(batch).told(ask(batch, ""));
  EXPECT_EQ(out.effects(), "tell batch vendor");
  EXPECT_EQ(told_batch(out).status(), pb::VENDOR_NONE);
}

TEST(vendor_receipt, is_numbered_and_listed) {
  auto out = given_one(verified()).from(batch).credited(redemption(2, 70));
  ASSERT_EQ(out.made.published().size(), 1u);
  auto& entry = out.made.published()[0];
  EXPECT_EQ(entry.id.raw(), redemption(2).purpose());
  EXPECT_EQ(entry.keys.parent, self.id);
  EXPECT_EQ(entry.keys.project, project.id);
  EXPECT_EQ(entry.keys.status, "taken");
  auto row = detail::parsed<pb::VendorAnswer>(entry.answer, "").receipt();
  EXPECT_EQ(row.no(), 2u);
  EXPECT_EQ(row.member(), wallet_of(batch.id, 2).raw());
  EXPECT_EQ(row.batch(), batch.id.raw());
  EXPECT_EQ(row.amount_minor(), 70);
  EXPECT_EQ(row.currency(), "NPR");
  EXPECT_EQ(vendor::totals(out.after)[0].amount_minor, 120);
}

TEST(vendor_receipt, after_the_suspension_is_held) {
  auto out = given_one(suspended()).from(batch).credited(redemption(2));
  EXPECT_EQ(out.made.published().at(0).keys.status, "held");
  EXPECT_EQ(out.after.held(), 1u);
  EXPECT_NE(told_settlement(given_one(out.after).from(settlement).told(quote())).quote().refused(),
            "");
  auto active = after_command(out.after, reactivate());
  EXPECT_EQ(active.held(), 0u);
  auto quote_now = told_settlement(given_one(active).from(settlement).told(quote())).quote();
  EXPECT_EQ(quote_now.sum_minor(), 100);
}

/// What a finance officer expects: whoever was suspended by mistake gets all that it has sold.
TEST(vendor_receipt, that_was_held_is_paid_after_the_reactivation) {
  auto held = given_one(suspended()).from(batch).credited(redemption(2)).after;
  auto active = after_command(held, reactivate());
  auto quoted = given_one(active).from(settlement).told(quote());
  EXPECT_EQ(told_settlement(quoted).quote().count(), 2u) << "with the one before it";
  auto paid = given_one(quoted.after).from(settlement).told(scenes::pay());
  ASSERT_EQ(paid.made.transfers().size(), 1u);
  EXPECT_EQ(paid.made.transfers()[0].amount_minor, 100);
  EXPECT_EQ(paid.after.accounts(0).balance_minor(), 0);
  EXPECT_EQ(paid.after.accounts(0).settled_no(), paid.after.accounts(0).receipts());
}

TEST(vendor_receipt, in_another_currency_is_sent_back) {
  auto credit = redemption(2);
  credit.set_currency("USD");
  auto out = given_one(verified()).from(batch).credited(credit);
  EXPECT_EQ(out.effects(), "move return");
  EXPECT_EQ(out.made.transfers().at(0).credit_owner, batch);
}

TEST(vendor_credit, that_is_a_return_is_kept_and_counted) {
  auto now = after_credit(verified(), returned_credit());
  auto totals = vendor::totals(now);
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].amount_minor, 80);
  EXPECT_EQ(now.accounts(0).balance_minor(), 50) << "kept apart from what can be settled";
}

TEST(vendor_quote, names_the_receipts_since_the_last_settlement) {
  auto now = after_credit(verified(), redemption(2, 70));
  auto out = given_one(now).from(settlement).told(quote());
  auto answer = told_settlement(out).quote();
  EXPECT_EQ(answer.refused(), "");
  EXPECT_EQ(answer.from_no(), 1u);
  EXPECT_EQ(answer.to_no(), 2u);
  EXPECT_EQ(answer.count(), 2u);
  EXPECT_EQ(answer.sum_minor(), 120);
  EXPECT_EQ(out.after.accounts(0).unsettled_minor(), 0);

  auto later = after_credit(out.after, redemption(3, 5));
  auto paid = after_message(later, scenes::pay());
  EXPECT_EQ(paid.accounts(0).balance_minor(), 5) << "a later receipt waits for the next one";
  auto next = told_settlement(given_one(paid).from(other).told(quote(other))).quote();
  EXPECT_EQ(next.from_no(), 3u);
  EXPECT_EQ(next.to_no(), 3u);
  EXPECT_EQ(next.sum_minor(), 5);
}

TEST(vendor_quote, is_refused_with_the_reason) {
  auto refusal = [](const state& now, const message& told) {
    return told_settlement(given_one(now).from(settlement).told(told)).quote().refused();
  };
  EXPECT_EQ(refusal({}, quote()), "the vendor does not exist");
  EXPECT_EQ(refusal(registered(), quote()), "the vendor is not verified: verify it first");
  EXPECT_EQ(refusal(suspended(), quote()), "the vendor is suspended: reactivate it first");
  EXPECT_EQ(
      refusal(quoted(verified()), quote(other)),
      "settlement " + settlement.id.str() + " is under way for these receipts: finish it first");
  auto paid = after_message(quoted(verified()), scenes::pay());
  EXPECT_EQ(refusal(paid, quote()), "there is nothing to settle");
  auto elsewhere = quote();
  elsewhere.mutable_quote()->set_currency("USD");
  EXPECT_EQ(refusal(verified(), elsewhere),
            "the vendor has taken nothing in this project and currency");
}

TEST(vendor_pay, moves_the_quoted_sum_out_of_the_project) {
  auto now = after_credit(quoted(verified()), redemption(2, 70));
  auto out = given_one(now).from(settlement).told(scenes::pay());
  ASSERT_EQ(out.made.transfers().size(), 1u);
  auto& t = out.made.transfers()[0];
  EXPECT_EQ(t.amount_minor, 50);
  EXPECT_EQ(t.debit, account());
  EXPECT_EQ(t.credit, outside_account());
  EXPECT_EQ(t.credit_owner, project);
  EXPECT_EQ(t.why, "payout");
  EXPECT_EQ(t.currency, "NPR");
  EXPECT_EQ(t.purpose, purpose_of(self, "payout", settlement.id.raw()));
  auto answer = told_settlement(out).paid();
  EXPECT_EQ(answer.purpose(), t.purpose.raw());
  EXPECT_EQ(answer.amount_minor(), 50);
  EXPECT_EQ(out.after.accounts(0).settled_no(), 1u);
  EXPECT_EQ(out.after.accounts(0).settlement().kind(), "");
}

TEST(vendor_pay, is_refused_to_a_suspended_vendor_and_stays_held) {
  auto now = after_command(quoted(verified()), suspend());
  auto out = given_one(now).from(settlement).told(scenes::pay());
  EXPECT_EQ(told_settlement(out).paid().refused(), "the vendor is suspended: reactivate it first");
  EXPECT_TRUE(out.made.transfers().empty());
  EXPECT_EQ(ref_of(out.after.accounts(0).settlement()), settlement);
  auto active = after_command(out.after, reactivate());
  EXPECT_EQ(given_one(active).from(settlement).told(scenes::pay()).events(), "paid_out");
}

TEST(vendor_pay, is_refused_to_a_settlement_without_a_quote) {
  auto out = given_one(quoted(verified())).from(other).told(scenes::pay(other));
  EXPECT_EQ(told_settlement(out).paid().refused(), "the vendor holds no quote for this settlement");
  EXPECT_TRUE(out.made.transfers().empty());
}

TEST(vendor_release, frees_only_its_own_quote) {
  auto now = quoted(verified());
  EXPECT_EQ(given_one(now).from(other).told(release(other)).events(), "");
  auto free = after_message(now, release());
  EXPECT_EQ(free.accounts(0).unsettled_minor(), 50);
  EXPECT_EQ(given_one(free).from(other).told(quote(other)).events(), "quoted");
}

TEST(vendor, does_not_skip_what_it_cannot_read) {
  state now;
  EXPECT_THROW(vendor::evolve(now, {}), broken_invariant);
  EXPECT_THROW(given_one().told({}), broken_invariant);
  EXPECT_EQ(given_one(verified()).when({}).error_name(), "invalid_input");
}

/// What a decider of ours can never have recorded: the entity is parked rather than go on.
TEST(vendor, does_not_believe_what_cannot_have_happened) {
  using event = pb::VendorEvent;
  auto impossible = [](state now, const event& happened) {
    EXPECT_THROW(vendor::evolve(now, happened), broken_invariant) << happened.DebugString();
  };
  event foreign;
  foreign.mutable_receipt()->set_account(derive_id({"no account of this vendor"}).raw());
  foreign.mutable_receipt()->set_no(1);
  impossible(verified(), foreign);
  event gap;
  gap.mutable_receipt()->set_account(account().raw());
  gap.mutable_receipt()->set_no(3);
  impossible(verified(), gap);
  event too_much;
  too_much.mutable_quoted()->set_account(account().raw());
  too_much.mutable_quoted()->set_sum_minor(51);
  impossible(verified(), too_much);
  event other_sum;
  other_sum.mutable_paid_out()->set_account(account().raw());
  other_sum.mutable_paid_out()->set_amount_minor(49);
  impossible(quoted(verified()), other_sum);
  auto poor = quoted(verified());
  poor.mutable_accounts(0)->set_balance_minor(49);
  event overdraws;
  overdraws.mutable_paid_out()->set_account(account().raw());
  overdraws.mutable_paid_out()->set_amount_minor(50);
  impossible(poor, overdraws);
  EXPECT_THROW(given_one(verified()).told(ask(other)), broken_invariant) << "not a batch";
}

TEST(vendor, lists_by_status) {
  EXPECT_EQ(vendor::keys(verified()).status, "verified");
}

} // namespace rahat::testing
