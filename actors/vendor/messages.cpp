#include "actors/settlement/settlement.pb.h"
#include "actors/shared/askers.hpp"
#include "actors/shared/text.hpp"
#include "actors/vendor/steps.hpp"

#include <algorithm>
#include <limits>

namespace rahat::vending {

namespace {

const pb::VendorAccount* find_account(const state& now, const std::string& project,
                                      const std::string& currency) {
  auto found = std::find_if(now.accounts().begin(), now.accounts().end(),
                            [&](const pb::VendorAccount& account) {
                              return account.project() == project && account.currency() == currency;
                            });
  return found == now.accounts().end() ? nullptr : &*found;
}

bool can_open(const state& now, const pb::AskVendor& question) {
  return now.accounts_size() < vendor::max_accounts && is_currency(question.currency()) &&
         !uuid::from_raw(question.project()).is_nil();
}

void open_account(decision& d, const pb::AskVendor& question, const context& ctx) {
  auto project = uuid::from_raw(question.project());
  auto account = vendor::account_for(ctx.self.id, project, question.currency());
  event happened;
  auto& opened = *happened.mutable_account_opened();
  opened.set_project(question.project());
  opened.set_currency(question.currency());
  opened.set_account(account.raw());
  d.record(happened);
  d.open_account({account, account, project, question.currency(), "vendor"});
}

/// Why the vendor cannot be paid now, whatever the account says; empty if it can.
std::string refusal_of(const state& now) {
  if (now.status() == pb::VENDOR_VERIFIED)
    return {};
  if (now.status() == pb::VENDOR_NONE)
    return "the vendor does not exist";
  if (now.status() == pb::VENDOR_SUSPENDED)
    return "the vendor is suspended: reactivate it first";
  return "the vendor is not verified: verify it first";
}

std::string refusal_of_quote(const state& now, const pb::VendorAccount* account,
                             const wire::Entity& settlement) {
  if (auto reason = refusal_of(now); !reason.empty())
    return reason;
  if (account == nullptr)
    return "the vendor has taken nothing in this project and currency";
  if (!account->settlement().kind().empty() && !same(account->settlement(), settlement))
    return "settlement " + uuid::from_raw(account->settlement().id()).str() +
           " is under way for these receipts: finish it first";
  if (account->receipts() == account->settled_no())
    return "there is nothing to settle";
  return {};
}

std::string refusal_of_payment(const state& now, const pb::VendorAccount* account,
                               const wire::Entity& settlement) {
  if (auto reason = refusal_of(now); !reason.empty())
    return reason;
  if (account == nullptr || !same(account->settlement(), settlement))
    return "the vendor holds no quote for this settlement";
  return {};
}

decision tell_settlement(const wire::Entity& settlement, const pb::SettlementMessage& news) {
  decision d;
  d.tell(ref_of(settlement), news);
  return d;
}

transfer payout(const pb::VendorAccount& account, const pb::PaySettlement& order,
                const context& ctx) {
  auto settlement = uuid::from_raw(order.settlement().id());
  transfer t;
  t.purpose = purpose_of(ctx.self, "payout", settlement.raw());
  t.debit = uuid::from_raw(account.account());
  t.credit = uuid::from_raw(order.outside_account());
  t.amount_minor = account.quoted_minor();
  t.currency = account.currency();
  t.credit_owner = {"project", uuid::from_raw(account.project())};
  t.why = "payout";
  t.reference = settlement.str();
  return t;
}

} // namespace

pb::BatchMessage fact_of(const state& now, const context& ctx) {
  pb::BatchMessage news;
  auto& fact = *news.mutable_vendor();
  fact.set_vendor(ctx.self.id.raw());
  fact.set_status(now.status());
  fact.set_changed_us(now.status_changed_us());
  fact.set_name(now.details().name());
  fact.set_at_us(ctx.now_us);
  return news;
}

decision ask(const state& now, const pb::AskVendor& question, const context& ctx) {
  must_hold(question.asker().kind() == "batch", "only batches are told of vendors");
  auto fact = fact_of(now, ctx);
  decision d;
  if (now.status() != pb::VENDOR_NONE) {
    bool known = find_account(now, question.project(), question.currency()) != nullptr;
    if (!known && can_open(now, question))
      open_account(d, question, ctx);
    else if (!known)
      fact.mutable_vendor()->set_status(pb::VENDOR_NONE); // nothing could be paid to it there
    if (!has_asked(now.askers(), question.asker()) && now.askers_size() < vendor::max_askers) {
      event happened;
      *happened.mutable_asker_added()->mutable_asker() = question.asker();
      d.record(happened);
    }
  }
  d.tell(ref_of(question.asker()), fact);
  return d;
}

decision check(const state& now, const pb::CheckVendor& question, const context& ctx) {
  pb::SettlementMessage news;
  *news.mutable_vendor() = fact_of(now, ctx).vendor();
  return tell_settlement(question.settlement(), news);
}

decision quote(const state& now, const pb::QuoteSettlement& question) {
  pb::SettlementMessage news;
  auto& answer = *news.mutable_quote();
  auto* account = find_account(now, question.project(), question.currency());
  auto reason = refusal_of_quote(now, account, question.settlement());
  if (!reason.empty()) {
    answer.set_refused(reason);
    return tell_settlement(question.settlement(), news);
  }

  answer.set_from_no(account->settled_no() + 1);
  answer.set_to_no(account->receipts());
  answer.set_count(account->receipts() - account->settled_no());
  answer.set_sum_minor(account->balance_minor());
  event happened;
  auto& quoted = *happened.mutable_quoted();
  *quoted.mutable_settlement() = question.settlement();
  quoted.set_account(account->account());
  quoted.set_from_no(answer.from_no());
  quoted.set_to_no(answer.to_no());
  quoted.set_count(answer.count());
  quoted.set_sum_minor(answer.sum_minor());
  auto d = tell_settlement(question.settlement(), news);
  d.record(happened);
  return d;
}

decision pay(const state& now, const pb::PaySettlement& order, const context& ctx) {
  pb::SettlementMessage news;
  auto& answer = *news.mutable_paid();
  auto* account = find_account(now, order.project(), order.currency());
  auto reason = refusal_of_payment(now, account, order.settlement());
  if (!reason.empty()) {
    answer.set_refused(reason);
    return tell_settlement(order.settlement(), news);
  }

  auto t = payout(*account, order, ctx);
  answer.set_purpose(t.purpose.raw());
  answer.set_amount_minor(t.amount_minor);
  event happened;
  auto& paid = *happened.mutable_paid_out();
  *paid.mutable_settlement() = order.settlement();
  paid.set_account(account->account());
  paid.set_purpose(t.purpose.raw());
  paid.set_amount_minor(t.amount_minor);
  auto d = tell_settlement(order.settlement(), news);
  d.record(happened);
  d.move(std::move(t));
  return d;
}

decision release(const state& now, const pb::ReleaseSettlement& order) {
  auto* account = find_account(now, order.project(), order.currency());
  if (account == nullptr || !same(account->settlement(), order.settlement()))
    return {};
  event happened;
  *happened.mutable_released()->mutable_settlement() = order.settlement();
  happened.mutable_released()->set_account(account->account());
  decision d;
  d.record(happened);
  return d;
}

const pb::VendorAccount* account_of_redemption(const state& now, const wire::Credit& credit) {
  if (credit.why() != "redemption")
    return nullptr;
  for (auto& account : now.accounts())
    if (account.account() == credit.credit_account())
      return account.currency() == credit.currency() &&
                     account.receipts() < std::numeric_limits<std::uint32_t>::max()
                 ? &account
                 : nullptr;
  return nullptr;
}

decision take_receipt(const state& now, const pb::VendorAccount& account,
                      const wire::Credit& credit, const context& ctx) {
  event happened;
  auto& receipt = *happened.mutable_receipt();
  receipt.set_purpose(credit.purpose());
  receipt.set_account(credit.credit_account());
  receipt.set_amount_minor(credit.amount_minor());
  receipt.set_no(account.receipts() + 1);
  receipt.set_reference(credit.reference());
  *receipt.mutable_from() = credit.from();
  receipt.set_held(now.status() == pb::VENDOR_SUSPENDED);
  receipt.set_at_us(ctx.now_us);

  pb::VendorAnswer row;
  auto& done = *row.mutable_receipt();
  done.set_id(credit.purpose());
  done.set_vendor(ctx.self.id.raw());
  done.set_project(account.project());
  done.set_batch(credit.from().id());
  done.set_member(credit.debit_account()); // a member is named by its wallet
  done.set_amount_minor(credit.amount_minor());
  done.set_currency(credit.currency());
  done.set_no(receipt.no());
  done.set_held(receipt.held());
  done.set_at_us(ctx.now_us);

  decision d;
  d.record(happened);
  d.publish("receipt", uuid::from_raw(credit.purpose()),
            {uuid::from_raw(account.project()), ctx.self.id, receipt.held() ? "held" : "taken",
             ctx.now_us},
            row);
  return d;
}

} // namespace rahat::vending
