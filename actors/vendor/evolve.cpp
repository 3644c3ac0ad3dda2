#include "actors/shared/suspense.hpp"
#include "actors/vendor/steps.hpp"

#include <algorithm>

namespace rahat {

namespace {

using state = vendor::state;

pb::VendorAccount& account_named(state& now, const std::string& id) {
  auto& accounts = *now.mutable_accounts();
  auto found = std::find_if(accounts.begin(), accounts.end(),
                            [&](auto& account) { return account.account() == id; });
  must_hold(found != accounts.end(), "an event names an account that the vendor does not have");
  return *found;
}

void end_quote(pb::VendorAccount& account) {
  account.clear_settlement();
  account.clear_quoted_to();
  account.clear_quoted_minor();
  account.clear_quoted_count();
}

void on(state& now, const pb::VendorRegistered& e) {
  now.set_status(pb::VENDOR_REGISTERED);
  *now.mutable_details() = e.ask();
  now.set_created_by(e.by());
  now.set_created_us(e.at_us());
  now.set_status_changed_us(e.at_us());
}

void on(state& now, const pb::VendorStatusChanged& e) {
  now.set_status(e.status());
  now.set_reason(e.reason());
  now.set_status_changed_us(e.at_us());
  if (e.status() == pb::VENDOR_VERIFIED)
    now.set_verified(true);
  if (e.status() != pb::VENDOR_SUSPENDED)
    now.set_held(0);
}

void on(state& now, const pb::VendorAskerAdded& e) {
  *now.add_askers() = e.asker();
}

void on(state& now, const pb::VendorAccountOpened& e) {
  auto& account = *now.add_accounts();
  account.set_project(e.project());
  account.set_currency(e.currency());
  account.set_account(e.account());
}

void on(state& now, const pb::ReceiptTaken& e) {
  auto& account = account_named(now, e.account());
  must_hold(e.no() == account.receipts() + 1, "receipts are numbered without gaps");
  account.set_receipts(e.no());
  account.set_balance_minor(account.balance_minor() + e.amount_minor());
  account.set_unsettled_minor(account.unsettled_minor() + e.amount_minor());
  if (e.held())
    now.set_held(now.held() + 1);
}

void on(state& now, const pb::SettlementQuoted& e) {
  auto& account = account_named(now, e.account());
  *account.mutable_settlement() = e.settlement();
  account.set_quoted_to(e.to_no());
  account.set_quoted_minor(e.sum_minor());
  account.set_quoted_count(e.count());
  account.set_unsettled_minor(account.balance_minor() - e.sum_minor());
  must_hold(account.unsettled_minor() >= 0, "more was quoted than the vendor holds");
}

void on(state& now, const pb::SettlementPaidOut& e) {
  auto& account = account_named(now, e.account());
  must_hold(e.amount_minor() == account.quoted_minor(), "a payout differs from its quote");
  account.set_balance_minor(account.balance_minor() - e.amount_minor());
  must_hold(account.balance_minor() >= 0, "a vendor's account was overdrawn");
  account.set_settled_no(account.quoted_to());
  end_quote(account);
}

void on(state& now, const pb::SettlementReleased& e) {
  auto& account = account_named(now, e.account());
  account.set_unsettled_minor(account.unsettled_minor() + account.quoted_minor());
  end_quote(account);
}

void on(state& now, const pb::VendorStrayCredit& e) {
  if (!e.returned())
    hold_in_suspense(*now.mutable_suspense(), e.currency(), e.amount_minor());
}

} // namespace

void vendor::evolve(state& now, const event& happened) {
  switch (happened.event_case()) {
    case event::kRegistered: return on(now, happened.registered());
    case event::kStatusChanged: return on(now, happened.status_changed());
    case event::kAskerAdded: return on(now, happened.asker_added());
    case event::kAccountOpened: return on(now, happened.account_opened());
    case event::kReceipt: return on(now, happened.receipt());
    case event::kQuoted: return on(now, happened.quoted());
    case event::kPaidOut: return on(now, happened.paid_out());
    case event::kReleased: return on(now, happened.released());
    case event::kStrayCredit: return on(now, happened.stray_credit());
    case event::EVENT_NOT_SET: break;
  }
  throw broken_invariant("a vendor's journal holds an event that this release cannot read");
}

} // namespace rahat
