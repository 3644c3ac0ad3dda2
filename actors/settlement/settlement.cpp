#include "actors/settlement/settlement.hpp"

#include "actors/shared/project_check.hpp"
#include "actors/shared/stray_credit.hpp"
#include "actors/shared/suspense.hpp"
#include "actors/shared/text.hpp"
#include "actors/vendor/vendor.pb.h"
#include "runtime/decider/account.hpp"

namespace rahat {

namespace {

using state = settlement::state;
using event = settlement::event;

error wrong_status(const state& now, std::string_view needed) {
  return reject(errc::wrong_status, "the settlement is " + std::string(to_string(now.status())) +
                                        ": " + std::string(needed));
}

entity_ref vendor_of(const state& now) {
  return {"vendor", uuid::from_raw(now.details().vendor())};
}

std::optional<error> fault_in(const pb::OpenSettlement& ask) {
  if (uuid::from_raw(ask.vendor()).is_nil())
    return reject(errc::invalid_input, "name the vendor by its id", "vendor");
  if (uuid::from_raw(ask.project()).is_nil())
    return reject(errc::invalid_input, "name the project by its id", "project");
  if (!ask.currency().empty() && !is_currency(ask.currency()))
    return reject(errc::invalid_input, "a currency has three capital letters, e.g. NPR",
                  "currency");
  return std::nullopt;
}

// ---- what the vendor is told -----------------------------------------------------------------

pb::VendorMessage quote_question(const state& now, const context& ctx) {
  pb::VendorMessage question;
  auto& quote = *question.mutable_quote();
  assign(*quote.mutable_settlement(), ctx.self);
  quote.set_project(now.details().project());
  quote.set_currency(now.currency());
  return question;
}

pb::VendorMessage pay_order(const state& now, const context& ctx) {
  pb::VendorMessage order;
  auto& pay = *order.mutable_pay();
  assign(*pay.mutable_settlement(), ctx.self);
  pay.set_project(now.details().project());
  pay.set_currency(now.currency());
  pay.set_outside_account(now.outside_account());
  return order;
}

pb::VendorMessage release_order(const state& now, const context& ctx) {
  pb::VendorMessage order;
  auto& release = *order.mutable_release();
  assign(*release.mutable_settlement(), ctx.self);
  release.set_project(now.details().project());
  release.set_currency(now.currency());
  return order;
}

// ---- what clients ask ------------------------------------------------------------------------

result open(const state& now, const pb::OpenSettlement& ask, const context& ctx) {
  if (now.status() != pb::SETTLEMENT_NONE)
    return reject(errc::already_exists, "this settlement exists already");
  if (auto fault = fault_in(ask))
    return *fault;
  return ask_project_first<event>(ask, ctx); // what is needed of it never changes
}

result request(const state& now, const context& ctx) {
  if (now.status() == pb::SETTLEMENT_REQUESTING)
    return wrong_status(now, "the vendor's answer is on its way");
  if (now.status() != pb::SETTLEMENT_OPEN)
    return wrong_status(now, "only an open settlement can be requested");

  event happened;
  happened.mutable_requested()->set_by(ctx.who.user);
  happened.mutable_requested()->set_request(ctx.request_id.raw());
  decision d;
  d.record(happened).tell(vendor_of(now), quote_question(now, ctx)).postpone();
  return d;
}

result approve(const state& now, const pb::ApproveSettlement& ask, const context& ctx) {
  if (now.status() != pb::SETTLEMENT_REQUESTED)
    return wrong_status(now, "only a requested settlement can be approved");
  if (ctx.who.user == now.requested_by())
    return reject(errc::maker_is_checker,
                  "whoever requested a settlement cannot approve it: ask another checker");
  if (!is_text(ask.note(), settlement::max_note))
    return reject(errc::invalid_input, "the note has at most 1000 characters", "note");

  event happened;
  auto& approved = *happened.mutable_approved();
  approved.set_by(ctx.who.user);
  approved.set_note(ask.note());
  approved.set_at_us(ctx.now_us);
  decision d;
  d.record(happened);
  return d;
}

/// Nothing has been paid: the vendor lets go of the receipts, and they can be requested again, by
/// this settlement or another one. Recorded as `refused`, which leads back to open in the release
/// before as well.
result withdraw(const state& now, const pb::WithdrawSettlement& ask, const context& ctx) {
  if (now.status() == pb::SETTLEMENT_REQUESTING || now.status() == pb::SETTLEMENT_PAYING)
    return wrong_status(now, "the vendor's answer is on its way");
  if (now.status() != pb::SETTLEMENT_REQUESTED && now.status() != pb::SETTLEMENT_APPROVED)
    return wrong_status(now, "only a requested or approved settlement can be withdrawn");
  if (!is_text(ask.reason(), settlement::max_note))
    return reject(errc::invalid_input, "the reason has at most 1000 characters", "reason");

  event happened;
  happened.mutable_refused()->set_reason("withdrawn by " + ctx.who.user +
                                         (ask.reason().empty() ? "" : ": " + ask.reason()));
  decision d;
  d.record(happened).tell(vendor_of(now), release_order(now, ctx));
  return d;
}

result pay(const state& now, const context& ctx) {
  if (now.status() == pb::SETTLEMENT_PAYING)
    return wrong_status(now, "the vendor's answer is on its way");
  if (now.status() != pb::SETTLEMENT_APPROVED)
    return wrong_status(now, "only an approved settlement can be paid");

  event happened;
  happened.mutable_pay_asked()->set_by(ctx.who.user);
  happened.mutable_pay_asked()->set_request(ctx.request_id.raw());
  decision d;
  d.record(happened).tell(vendor_of(now), pay_order(now, ctx)).postpone();
  return d;
}

// ---- what other entities tell ----------------------------------------------------------------

void record_refusal(decision& d, const state& now, error why) {
  event happened;
  happened.mutable_refused()->set_reason(why.message);
  d.record(happened);
  d.refuse_request(uuid::from_raw(now.waiting_request()), std::move(why));
}

decision refuse_opening(const state& now, error why) {
  event happened;
  happened.mutable_not_opened()->set_reason(why.message);
  decision d;
  d.record(happened).refuse_request(uuid::from_raw(now.waiting_request()), std::move(why));
  return d;
}

/// Of a closed project too: what its vendors have taken is still owed to them.
decision project_known(const state& now, const pb::ProjectFact& project, const context& ctx) {
  if (now.status() != pb::SETTLEMENT_OPENING || !now.outside_account().empty() ||
      project.project() != now.details().project())
    return {};
  if (auto fault = fault_with(project, now.details().currency()))
    return refuse_opening(now, std::move(*fault));

  event happened;
  auto& known = *happened.mutable_project_known();
  known.set_currency(project.currency());
  known.set_outside_account(project.outside_account());
  pb::VendorMessage question;
  assign(*question.mutable_check()->mutable_settlement(), ctx.self);
  decision d;
  d.record(happened).tell(vendor_of(now), question);
  return d;
}

/// The vendor's status counts when it is asked for a quote and for the payment.
decision vendor_known(const state& now, const pb::VendorFact& vendor, const context& ctx) {
  if (now.status() != pb::SETTLEMENT_OPENING || now.outside_account().empty() ||
      vendor.vendor() != now.details().vendor())
    return {};
  if (vendor.status() == pb::VENDOR_NONE)
    return refuse_opening(
        now, reject(errc::not_found, "there is no such vendor: check its id", "vendor_id"));

  event happened;
  auto& opened = *happened.mutable_opened();
  *opened.mutable_ask() = now.details();
  opened.set_by(now.created_by());
  opened.set_at_us(ctx.now_us);
  decision d;
  d.record(happened);
  d.answer_request(uuid::from_raw(now.waiting_request()), settlement::answer(), 201);
  return d;
}

decision quoted(const state& now, const pb::SettlementQuote& quote, const context& ctx) {
  decision d;
  if (now.status() == pb::SETTLEMENT_OPEN && quote.refused().empty())
    d.tell(vendor_of(now), release_order(now, ctx)); // held at the vendor for nobody
  if (now.status() != pb::SETTLEMENT_REQUESTING)
    return d;
  if (!quote.refused().empty()) {
    record_refusal(d, now, reject(errc::wrong_status, quote.refused()));
    return d;
  }
  event happened;
  *happened.mutable_quoted()->mutable_quote() = quote;
  d.record(happened);
  d.answer_request(uuid::from_raw(now.waiting_request()), settlement::answer());
  return d;
}

decision paid(const state& now, const pb::SettlementPaid& outcome, const context& ctx) {
  decision d;
  if (now.status() != pb::SETTLEMENT_PAYING)
    return d;
  if (!outcome.refused().empty()) {
    record_refusal(d, now, reject(errc::wrong_status, outcome.refused()));
    return d;
  }
  must_hold(outcome.amount_minor() == now.quote().sum_minor(),
            "the vendor was paid another sum than the approved one");
  event happened;
  auto& done = *happened.mutable_paid();
  done.set_purpose(outcome.purpose());
  done.set_amount_minor(outcome.amount_minor());
  done.set_at_us(ctx.now_us);
  d.record(happened);
  d.answer_request(uuid::from_raw(now.waiting_request()), settlement::answer());
  return d;
}

// ---- evolve ----------------------------------------------------------------------------------

void on(state& now, const pb::SettlementAsked& e) {
  now.set_status(pb::SETTLEMENT_OPENING);
  *now.mutable_details() = e.ask();
  now.set_created_by(e.by());
  now.set_waiting_request(e.request());
}

/// As if it had never been asked for; money that it keeps in suspense is money all the same.
void on(state& now, const pb::SettlementNotOpened&) {
  state none;
  none.mutable_suspense()->Swap(now.mutable_suspense());
  now.Swap(&none);
}

void on(state& now, const pb::SettlementOpened& e) {
  now.set_status(pb::SETTLEMENT_OPEN);
  *now.mutable_details() = e.ask();
  now.set_created_by(e.by());
  now.set_created_us(e.at_us());
  now.clear_waiting_request();
}

void on(state& now, const pb::SettlementProjectKnown& e) {
  now.set_currency(e.currency());
  now.set_outside_account(e.outside_account());
}

void on(state& now, const pb::SettlementRequestedEvent& e) {
  now.set_status(pb::SETTLEMENT_REQUESTING);
  now.set_requested_by(e.by());
  now.set_waiting_request(e.request());
  now.clear_reason();
}

void on(state& now, const pb::SettlementQuotedEvent& e) {
  now.set_status(pb::SETTLEMENT_REQUESTED);
  *now.mutable_quote() = e.quote();
  now.clear_waiting_request();
}

void on(state& now, const pb::SettlementRefused& e) {
  now.set_reason(e.reason());
  now.clear_waiting_request();
  if (now.status() == pb::SETTLEMENT_PAYING)
    return now.set_status(pb::SETTLEMENT_APPROVED);
  now.set_status(pb::SETTLEMENT_OPEN);
  now.clear_quote();
  now.clear_requested_by();
  now.clear_approved_by();
}

void on(state& now, const pb::SettlementApprovedEvent& e) {
  now.set_status(pb::SETTLEMENT_APPROVED);
  now.set_approved_by(e.by());
}

void on(state& now, const pb::SettlementPayAsked& e) {
  now.set_status(pb::SETTLEMENT_PAYING);
  now.set_waiting_request(e.request());
  now.clear_reason();
}

void on(state& now, const pb::SettlementPaidEvent& e) {
  now.set_status(pb::SETTLEMENT_PAID);
  now.set_purpose(e.purpose());
  now.set_paid_minor(e.amount_minor());
  now.set_paid_us(e.at_us());
  now.clear_waiting_request();
}

void on(state& now, const pb::SettlementStrayCredit& e) {
  if (!e.returned())
    hold_in_suspense(*now.mutable_suspense(), e.currency(), e.amount_minor());
}

} // namespace

result settlement::decide(const state& now, const command& ask, const context& ctx) {
  if (!exists(now) && !ask.has_open())
    return reject(errc::not_found, "there is no such settlement: check its id");
  switch (ask.command_case()) {
    case command::kOpen: return open(now, ask.open(), ctx);
    case command::kRequest: return request(now, ctx);
    case command::kApprove: return approve(now, ask.approve(), ctx);
    case command::kPay: return pay(now, ctx);
    case command::kWithdraw: return withdraw(now, ask.withdraw(), ctx);
    case command::COMMAND_NOT_SET: break;
  }
  return reject(errc::invalid_input, "this command is not known to settlements");
}

decision settlement::told(const state& now, const message& message, const context& ctx) {
  using told = settlement::message;
  switch (message.message_case()) {
    case told::kProject: return project_known(now, message.project(), ctx);
    case told::kQuote: return quoted(now, message.quote(), ctx);
    case told::kPaid: return paid(now, message.paid(), ctx);
    case told::kVendor: return vendor_known(now, message.vendor(), ctx);
    case told::MESSAGE_NOT_SET: break;
  }
  throw broken_invariant("a settlement was told something unknown");
}

/// It has no account, so nothing that comes can be meant for it.
decision settlement::credited(const state&, const wire::Credit& credit, const context& ctx) {
  return stray_credit<event>(credit, ctx);
}

void settlement::evolve(state& now, const event& happened) {
  switch (happened.event_case()) {
    case event::kOpened: return on(now, happened.opened());
    case event::kProjectKnown: return on(now, happened.project_known());
    case event::kRequested: return on(now, happened.requested());
    case event::kQuoted: return on(now, happened.quoted());
    case event::kRefused: return on(now, happened.refused());
    case event::kApproved: return on(now, happened.approved());
    case event::kPayAsked: return on(now, happened.pay_asked());
    case event::kPaid: return on(now, happened.paid());
    case event::kStrayCredit: return on(now, happened.stray_credit());
    case event::kAsked: return on(now, happened.asked());
    case event::kNotOpened: return on(now, happened.not_opened());
    case event::EVENT_NOT_SET: break;
  }
  throw broken_invariant("a settlement's journal holds an event that this release cannot read");
}

bool settlement::exists(const state& now) {
  return now.status() != pb::SETTLEMENT_NONE && now.status() != pb::SETTLEMENT_OPENING;
}

query_keys settlement::keys(const state& now) {
  query_keys keys;
  keys.project = uuid::from_raw(now.details().project());
  keys.parent = uuid::from_raw(now.details().vendor());
  keys.status = to_string(now.status());
  keys.created_us = now.created_us();
  return keys;
}

std::vector<owned_total> settlement::totals(const state& now) {
  std::vector<owned_total> out;
  add_totals(out, now.suspense());
  return out;
}

std::string_view to_string(pb::SettlementStatus status) {
  switch (status) {
    case pb::SETTLEMENT_OPENING: return "opening";
    case pb::SETTLEMENT_OPEN: return "open";
    case pb::SETTLEMENT_REQUESTING: return "requesting";
    case pb::SETTLEMENT_REQUESTED: return "requested";
    case pb::SETTLEMENT_APPROVED: return "approved";
    case pb::SETTLEMENT_PAYING: return "paying";
    case pb::SETTLEMENT_PAID: return "paid";
    default: return "none";
  }
}

} // namespace rahat
