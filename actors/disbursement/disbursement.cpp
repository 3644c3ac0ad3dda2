#include "actors/disbursement/disbursement.hpp"

#include "actors/disbursement/steps.hpp"
#include "actors/shared/stray_credit.hpp"
#include "actors/shared/suspense.hpp"

namespace rahat {

namespace steps = disbursing;

result disbursement::decide(const state& now, const command& ask, const context& ctx) {
  if (!exists(now) && !ask.has_create())
    return reject(errc::not_found, "there is no such disbursement: check its id");
  switch (ask.command_case()) {
    case command::kCreate: return steps::create(now, ask.create(), ctx);
    case command::kLock: return steps::lock(now, ctx);
    case command::kApprove: return steps::approve(now, ask.approve(), ctx);
    case command::kReject: return steps::reject(now, ask.reject(), ctx);
    case command::kPay: return steps::pay(now, ctx);
    case command::kPause: return steps::pause(now, ask.pause(), ctx);
    case command::kResume: return steps::resume(now, ctx);
    case command::kCancel: return steps::cancel(now, ask.cancel(), ctx);
    case command::COMMAND_NOT_SET: break;
  }
  return reject(errc::invalid_input, "this command is not known to disbursements");
}

decision disbursement::told(const state& now, const message& message, const context& ctx) {
  using told = disbursement::message;
  switch (message.message_case()) {
    case told::kProject:
      if (steps::answers_creation(now, message.project()))
        return steps::finish_creation(now, message.project(), ctx);
      if (steps::answers_lock(now, message.project()))
        return steps::spread_lock(now, message.project(), ctx);
      return steps::project_changed(now, message.project(), ctx);
    case told::kBatchLocked: return steps::batch_locked(now, message.batch_locked(), ctx);
    case told::kReserve: return steps::reserve_refused(now, message.reserve(), ctx);
    case told::kApplied: return steps::chunk_applied(now, message.applied(), ctx);
    case told::MESSAGE_NOT_SET: break;
  }
  throw broken_invariant("a disbursement was told something unknown");
}

decision disbursement::credited(const state& now, const wire::Credit& credit, const context& ctx) {
  if (steps::is_awaited_reserve(now, credit, ctx))
    return steps::reserved(now, credit, ctx);
  return stray_credit<event>(credit, ctx);
}

bool disbursement::exists(const state& now) {
  return now.status() != pb::DISBURSEMENT_NONE && now.status() != pb::DISBURSEMENT_OPENING;
}

bool disbursement::has_work(const state& now) {
  return steps::all_batches_locked(now) ||
         (now.status() == pb::DISBURSEMENT_PAYING &&
          now.next_chunk() < static_cast<std::uint32_t>(now.chunks_size()));
}

std::optional<feed_request> disbursement::feed_for(const state& now) {
  if (!steps::all_batches_locked(now))
    return std::nullopt;
  feed_request duplicates;
  duplicates.kind = feed_request::what::line_duplicates;
  duplicates.id = uuid::from_raw(now.list());
  duplicates.limit = max_duplicates_read;
  return duplicates;
}

decision disbursement::proceed(const state& now, const context& ctx) {
  if (!has_work(now))
    return {};
  if (now.status() == pb::DISBURSEMENT_LOCKING)
    return steps::finish_lock(now, ctx);
  return steps::pay_next_chunk(now, ctx);
}

query_keys disbursement::keys(const state& now) {
  query_keys keys;
  keys.project = uuid::from_raw(now.details().project());
  keys.status = to_string(now.status());
  keys.created_us = now.created_us();
  return keys;
}

std::vector<owned_total> disbursement::totals(const state& now) {
  std::vector<owned_total> out;
  if (!now.currency().empty())
    add_total(out, now.currency(), now.reserve_minor());
  add_totals(out, now.suspense());
  return out;
}

std::string_view to_string(pb::DisbursementStatus status) {
  switch (status) {
    case pb::DISBURSEMENT_OPENING: return "opening";
    case pb::DISBURSEMENT_DRAFT: return "draft";
    case pb::DISBURSEMENT_LOCKING: return "locking";
    case pb::DISBURSEMENT_LOCKED: return "locked";
    case pb::DISBURSEMENT_APPROVED: return "approved";
    case pb::DISBURSEMENT_RESERVING: return "reserving";
    case pb::DISBURSEMENT_PAYING: return "paying";
    case pb::DISBURSEMENT_PAUSED: return "paused";
    case pb::DISBURSEMENT_CANCELLING: return "cancelling";
    case pb::DISBURSEMENT_CANCELLED: return "cancelled";
    case pb::DISBURSEMENT_COMPLETED: return "completed";
    default: return "none";
  }
}

} // namespace rahat
