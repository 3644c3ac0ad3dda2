#include "actors/batch/batch.hpp"

#include "actors/batch/steps.hpp"
#include "actors/shared/suspense.hpp"
#include "actors/shared/text.hpp"
#include "runtime/decider/account.hpp"

#include <algorithm>
#include <numeric>

namespace rahat {

namespace {

result freeze(const batch::state& now, const pb::FreezeBatch& ask, const context& ctx) {
  if (auto closed = batch_steps::closed_to_people(now))
    return *closed;
  if (!is_some_text(ask.reason(), batch::max_reason))
    return reject(errc::invalid_input, "say why in 1 to 500 characters", "reason");
  pb::BatchEvent event;
  event.mutable_frozen()->set_reason(ask.reason());
  event.mutable_frozen()->set_by(ctx.who.user);
  decision d;
  d.record(event);
  return d;
}

result thaw(const batch::state& now, const pb::ThawBatch& ask, const context& ctx) {
  if (now.status() != pb::BATCH_FROZEN)
    return reject(errc::wrong_status, "only a frozen batch can be thawed");
  if (!is_text(ask.reason(), batch::max_reason))
    return reject(errc::invalid_input, "the reason may have at most 500 characters", "reason");
  pb::BatchEvent event;
  event.mutable_thawed()->set_reason(ask.reason());
  event.mutable_thawed()->set_by(ctx.who.user);
  decision d;
  d.record(event);
  return d;
}

/// Who is in the batch and what their wallets hold. Nobody is shown before the register is
/// accepted.
result list_members(const batch::state& now, const pb::ListMembers& ask, const context& ctx) {
  if (now.status() == pb::BATCH_ENROLLING)
    return reject(errc::wrong_status, "the batch's register is not accepted yet");
  if (ask.limit() < 1 || ask.limit() > batch::max_listed)
    return reject(errc::invalid_input, "ask for 1 to 200 members at a time", "limit");

  pb::BatchAnswer answer;
  auto& list = *answer.mutable_members();
  list.set_total(batch::members(now));
  list.set_upload(now.enrol().upload());
  wallet_maker wallet(ctx.self.id);
  auto first = std::min(ask.from_index(), batch::members(now));
  auto end = std::min(batch::members(now), first + ask.limit());
  for (auto index = first; index < end; ++index) {
    auto at = static_cast<int>(index);
    auto& member = *list.add_members();
    member.set_index(index);
    member.set_wallet(wallet(index).raw());
    member.set_person(now.persons().substr(std::size_t{16} * index, 16));
    member.set_ordinal(now.ordinals(at));
    member.set_amount_minor(now.amounts(at));
    member.set_balance_minor(now.balances(at));
  }
  decision d;
  d.answer(answer);
  return d;
}

} // namespace

std::string_view to_string(pb::BatchStatus status) {
  switch (status) {
    case pb::BATCH_ENROLLING: return "enrolling";
    case pb::BATCH_OPEN: return "open";
    case pb::BATCH_FROZEN: return "frozen";
    default: return "";
  }
}

std::uint32_t batch::members(const state& now) {
  return static_cast<std::uint32_t>(now.balances_size());
}

result batch::decide(const state& now, const command& ask, const context& ctx) {
  if (now.status() == pb::BATCH_NONE)
    return reject(errc::not_found, "there is no such batch");
  switch (ask.command_case()) {
    case command::kIssueCode: return batch_steps::issue_code(now, ask.issue_code(), ctx);
    case command::kRedeem: return batch_steps::redeem(now, ask.redeem(), ctx);
    case command::kFreeze: return freeze(now, ask.freeze(), ctx);
    case command::kThaw: return thaw(now, ask.thaw(), ctx);
    case command::kListMembers: return list_members(now, ask.list_members(), ctx);
    default: return reject(errc::invalid_input, "a batch does not know this command");
  }
}

decision batch::told(const state& now, const message& news, const context& ctx) {
  switch (news.message_case()) {
    case message::kEnroll: return batch_steps::enroll(now, news.enroll(), ctx);
    case message::kAccept: return batch_steps::accept(now, ctx);
    case message::kDrop: return batch_steps::drop(now);
    case message::kLock: return batch_steps::lock(now, news.lock(), ctx);
    case message::kUnlock: return batch_steps::unlock(now, news.unlock());
    case message::kPay: return batch_steps::pay(now, news.pay(), ctx);
    case message::kProject: return batch_steps::project_known(now, news.project(), ctx);
    case message::kVendor: return batch_steps::vendor_known(now, news.vendor(), ctx);
    default: throw broken_invariant("a batch was told something that it does not know");
  }
}

/// Money for a member is the member's in every status of the batch.
decision batch::credited(const state& now, const wire::Credit& credit, const context& ctx) {
  pb::BatchEvent event;
  auto& news = *event.mutable_credited();
  news.set_purpose(credit.purpose());
  news.set_amount_minor(credit.amount_minor());
  news.set_currency(credit.currency());

  decision d;
  auto member = wallet_index(ctx.self.id, uuid::from_raw(credit.credit_account()));
  if (member && *member < members(now) && credit.currency() == now.enrol().currency()) {
    news.set_member(*member);
  } else if (is_return(credit)) {
    news.set_kept(true);
  } else {
    news.set_returned(true);
    d.move(return_to_source(credit, ctx));
  }
  d.record(event);
  return d;
}

bool batch::exists(const state& now) {
  return now.status() == pb::BATCH_OPEN || now.status() == pb::BATCH_FROZEN;
}

query_keys batch::keys(const state& now) {
  query_keys out;
  out.project = uuid::from_raw(now.enrol().project());
  out.parent = uuid::from_raw(now.enrol().upload());
  out.status = to_string(now.status());
  out.created_us = now.created_us();
  return out;
}

/// The wallets are added up one by one: this is what the auditor holds against the transfers.
std::vector<owned_total> batch::totals(const state& now) {
  std::vector<owned_total> out;
  if (now.status() != pb::BATCH_NONE)
    add_total(out, now.enrol().currency(),
              std::accumulate(now.balances().begin(), now.balances().end(), now.suspense_minor()));
  add_totals(out, now.foreign_suspense());
  return out;
}

bool batch::has_work(const state& now) {
  return batch_steps::is_enrolling(now) || batch_steps::is_locking(now) ||
         batch_steps::next_waiting(now) < now.waiting_size();
}

std::optional<feed_request> batch::feed_for(const state& now) {
  if (!batch_steps::is_enrolling(now))
    return std::nullopt;
  feed_request ask;
  ask.kind = feed_request::what::upload_rows;
  ask.id = uuid::from_raw(now.enrol().upload());
  ask.first = now.next_ordinal();
  ask.last = std::min(now.enrol().last(), ask.first + chunk_members - 1);
  return ask;
}

/// People who stand at a shop go before pay lists.
decision batch::proceed(const state& now, const context& ctx) {
  if (batch_steps::is_enrolling(now))
    return batch_steps::enrol_members(now, ctx);
  if (batch_steps::next_waiting(now) < now.waiting_size())
    return batch_steps::decide_waiting(now, ctx);
  if (batch_steps::is_locking(now))
    return batch_steps::lock_members(now, ctx);
  return {};
}

} // namespace rahat
