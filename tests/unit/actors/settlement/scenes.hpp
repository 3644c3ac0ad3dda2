#pragma once

#include "actors/settlement/settlement.hpp"
#include "runtime/decider/account.hpp"
#include "tests/unit/actors/support/given.hpp"

#include <stdexcept>
#include <string>

/// A settlement of 120 (receipts 1 to 2): opened and requested by the maker, approved by the
/// checker.
namespace rahat::testing::scenes {

using command = pb::SettlementCommand;
using message = pb::SettlementMessage;
using state = pb::SettlementState;
using outcome = outcome_of<settlement>;

inline const entity_ref self{"settlement", derive_id({"test", "settlement"})};
inline const entity_ref project{"project", derive_id({"test", "project"})};
inline const entity_ref shop{"vendor", derive_id({"test", "vendor"})};

inline command open(const std::string& currency = "") {
  command ask;
  ask.mutable_open()->set_vendor(shop.id.raw());
  ask.mutable_open()->set_project(project.id.raw());
  ask.mutable_open()->set_currency(currency);
  return ask;
}

inline command request() {
  command ask;
  ask.mutable_request();
  return ask;
}

inline command approve(const std::string& note = "") {
  command ask;
  ask.mutable_approve()->set_note(note);
  return ask;
}

inline command pay() {
  command ask;
  ask.mutable_pay();
  return ask;
}

inline command withdraw(const std::string& reason = "a receipt is disputed") {
  command ask;
  ask.mutable_withdraw()->set_reason(reason);
  return ask;
}

inline message project_fact(pb::ProjectStatus status = pb::PROJECT_ACTIVE) {
  message told;
  told.mutable_project()->set_project(project.id.raw());
  told.mutable_project()->set_status(status);
  if (status == pb::PROJECT_NONE)
    return told;
  told.mutable_project()->set_currency("NPR");
  told.mutable_project()->set_outside_account(account_of(project, "outside", "NPR").raw());
  return told;
}

inline message project_in_dollars() {
  auto told = project_fact();
  told.mutable_project()->set_currency("USD");
  return told;
}

inline message vendor_fact(pb::VendorStatus status = pb::VENDOR_VERIFIED) {
  message told;
  told.mutable_vendor()->set_vendor(shop.id.raw());
  told.mutable_vendor()->set_status(status);
  return told;
}

inline message quote(const std::string& refused = "") {
  message told;
  auto& answer = *told.mutable_quote();
  answer.set_refused(refused);
  if (!refused.empty())
    return told;
  answer.set_from_no(1);
  answer.set_to_no(2);
  answer.set_count(2);
  answer.set_sum_minor(120);
  return told;
}

inline message paid(const std::string& refused = "") {
  message told;
  told.mutable_paid()->set_refused(refused);
  if (!refused.empty())
    return told;
  told.mutable_paid()->set_purpose(purpose_of(shop, "payout", self.id.raw()).raw());
  told.mutable_paid()->set_amount_minor(120);
  return told;
}

inline wire::Credit credit(const std::string& why) {
  wire::Credit out;
  out.set_purpose(purpose_of(project, why, "1").raw());
  out.set_debit_account(account_of(project, "budget", "NPR").raw());
  out.set_credit_account(account_of(self, "anything").raw());
  out.set_amount_minor(30);
  out.set_currency("NPR");
  assign(*out.mutable_from(), project);
  out.set_why(why);
  return out;
}

inline state must(const outcome& out) {
  if (out.refusal)
    throw std::runtime_error("a scene was refused: " + out.refusal->message);
  return out.after;
}

inline state after_command(const state& before, const command& ask,
                           const std::string& user = "maker") {
  return must(given<settlement>(before).by(user).when(ask));
}

inline state after_message(const state& before, const message& told) {
  return must(given<settlement>(before).from(shop).told(told));
}

inline state opening(const std::string& currency = "NPR") {
  return after_command({}, open(currency));
}
inline state opening_vendor() {
  return after_message(opening(), project_fact());
}
inline state opened() {
  return after_message(opening_vendor(), vendor_fact());
}
inline state requesting() {
  return after_command(opened(), request());
}
inline state requested() {
  return after_message(requesting(), quote());
}
inline state approved() {
  return after_command(requested(), approve(), "checker");
}
inline state paying() {
  return after_command(approved(), scenes::pay());
}
inline state all_paid() {
  return after_message(paying(), paid());
}

} // namespace rahat::testing::scenes
