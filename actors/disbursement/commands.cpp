#include "actors/disbursement/steps.hpp"
#include "actors/shared/project_check.hpp"
#include "actors/shared/text.hpp"

#include <set>

namespace rahat::disbursing {

namespace {

using rahat::reject;

error wrong_status(const state& now, std::string_view needed) {
  return reject(errc::wrong_status, "the disbursement is " + std::string(to_string(now.status())) +
                                        ": " + std::string(needed));
}

std::string upto(std::size_t most) {
  return "at most " + std::to_string(most) + " characters";
}

std::optional<error> fault_in_batches(const pb::CreateDisbursement& ask) {
  if (ask.batches_size() > disbursement::max_batches)
    return reject(errc::limit_exceeded,
                  "a disbursement covers at most 500 batches: make several disbursements",
                  "batches");
  std::set<std::string_view> seen;
  for (auto& batch : ask.batches()) {
    if (uuid::from_raw(batch).is_nil())
      return reject(errc::invalid_input, "a batch is named by its id", "batches");
    if (!seen.insert(batch).second)
      return reject(errc::invalid_input,
                    "batch " + uuid::from_raw(batch).str() + " is named twice: name it once",
                    "batches");
  }
  return std::nullopt;
}

std::optional<error> fault_in(const pb::CreateDisbursement& ask) {
  if (uuid::from_raw(ask.project()).is_nil())
    return reject(errc::invalid_input, "name the project by its id", "project");
  if (!is_some_text(ask.name(), disbursement::max_name))
    return reject(errc::invalid_input, "the name has 1 to 200 characters", "name");
  if (ask.amount_each_minor() < 0 || ask.amount_each_minor() > disbursement::max_amount_minor)
    return reject(errc::invalid_input,
                  "the amount for each member is between 0 (its own amount) and 1000000000000",
                  "amount_minor");
  if (!ask.currency().empty() && !is_currency(ask.currency()))
    return reject(errc::invalid_input, "a currency has three capital letters, e.g. NPR",
                  "currency");
  return fault_in_batches(ask);
}

} // namespace

result create(const state& now, const pb::CreateDisbursement& ask, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_NONE)
    return reject(errc::already_exists, "this disbursement exists already");
  if (auto fault = fault_in(ask))
    return *fault;
  return ask_project_first<event>(ask, ctx);
}

result lock(const state& now, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_DRAFT)
    return wrong_status(now, "only a draft can be locked; reject a locked list to change it");

  event happened;
  auto& asked = *happened.mutable_lock_asked();
  asked.set_round(now.round() + 1);
  asked.set_list(list_id(ctx.self, asked.round()).raw());
  asked.set_by(ctx.who.user);
  pb::ProjectMessage question;
  assign(*question.mutable_ask()->mutable_asker(), ctx.self);
  question.mutable_ask()->set_with_batches(true);
  question.mutable_ask()->set_list(happened.lock_asked().list());
  decision d;
  d.record(happened).tell(project_of(now), question);
  return d;
}

result approve(const state& now, const pb::ApproveDisbursement& ask, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_LOCKED)
    return wrong_status(now, "only a locked disbursement can be approved");
  if (ctx.who.user == now.created_by())
    return reject(errc::maker_is_checker,
                  "whoever created a disbursement cannot approve it: ask another checker");
  if (ctx.who.user == now.lock_asked_by())
    return reject(errc::maker_is_checker,
                  "whoever locked a disbursement cannot approve it: ask another checker");
  if (ask.digest().empty())
    return reject(errc::invalid_input, "name the digest of the pay list that you have seen",
                  "digest");
  if (ask.digest() != now.digest())
    return reject(errc::digest_changed,
                  "the pay list is not the one you looked at: review it again");
  if (!is_text(ask.note(), disbursement::max_text))
    return reject(errc::invalid_input, "the note has " + upto(disbursement::max_text), "note");

  event happened;
  auto& approved = *happened.mutable_approved();
  approved.set_by(ctx.who.user);
  approved.set_note(ask.note());
  approved.set_digest(ask.digest());
  approved.set_at_us(ctx.now_us);
  decision d;
  d.record(happened);
  return d;
}

result reject(const state& now, const pb::RejectDisbursement& ask, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_LOCKED && now.status() != pb::DISBURSEMENT_APPROVED)
    return wrong_status(now, "only a locked or approved disbursement can be rejected");
  if (!is_some_text(ask.reason(), disbursement::max_text))
    return reject(errc::invalid_input,
                  "say in 1 to 1000 characters why it is rejected, so that it can be mended",
                  "reason");

  event happened;
  auto& rejected = *happened.mutable_rejected();
  rejected.set_by(ctx.who.user);
  rejected.set_reason(ask.reason());
  rejected.set_at_us(ctx.now_us);
  decision d;
  d.record(happened);
  unlock_all(d, now, ctx);
  return d;
}

result pay(const state& now, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_APPROVED)
    return wrong_status(now, "only an approved disbursement can be paid");

  event happened;
  happened.mutable_reserve_asked()->set_by(ctx.who.user);
  pb::ProjectMessage question;
  auto& reserve = *question.mutable_reserve();
  assign(*reserve.mutable_disbursement(), ctx.self);
  reserve.set_account(now.reserve_account());
  reserve.set_amount_minor(now.amount_minor());
  reserve.set_currency(now.currency());
  reserve.set_list(now.list());
  decision d;
  d.record(happened).tell(project_of(now), question);
  return d;
}

result pause(const state& now, const pb::PauseDisbursement& ask, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_PAYING)
    return wrong_status(now, "only a paying disbursement can be paused");
  if (!is_text(ask.reason(), disbursement::max_text))
    return reject(errc::invalid_input, "the reason has " + upto(disbursement::max_text), "reason");

  event happened;
  happened.mutable_paused()->set_by(ctx.who.user);
  happened.mutable_paused()->set_reason(ask.reason());
  decision d;
  d.record(happened);
  return d;
}

/// Goes on with what is known of the project, and asks it again: it may be long since it was told.
/// An answer that it is not active pauses it once more.
result resume(const state& now, const context& ctx) {
  if (now.status() != pb::DISBURSEMENT_PAUSED)
    return wrong_status(now, "only a paused disbursement can be resumed");
  if (now.project_status() != pb::PROJECT_ACTIVE)
    return reject(errc::project_not_active,
                  "the project is not active: activate it, then resume the disbursement");

  event happened;
  happened.mutable_resumed()->set_by(ctx.who.user);
  decision d;
  d.record(happened).tell(project_of(now), question_to_project(ctx));
  return d;
}

result cancel(const state& now, const pb::CancelDisbursement& ask, const context& ctx) {
  if (now.status() == pb::DISBURSEMENT_CANCELLING)
    return wrong_status(now, "it ends as soon as what is on its way has arrived");
  if (now.status() == pb::DISBURSEMENT_CANCELLED || now.status() == pb::DISBURSEMENT_COMPLETED)
    return wrong_status(now, "it has ended and cannot be cancelled any more");
  if (!is_text(ask.reason(), disbursement::max_text))
    return reject(errc::invalid_input, "the reason has " + upto(disbursement::max_text), "reason");

  event happened;
  happened.mutable_cancel_asked()->set_by(ctx.who.user);
  happened.mutable_cancel_asked()->set_reason(ask.reason());
  decision d;
  d.record(happened);
  if (!waits_for_others(now))
    end_cancelled(d, now, ctx);
  return d;
}

} // namespace rahat::disbursing
