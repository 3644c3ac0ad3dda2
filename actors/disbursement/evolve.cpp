#include "actors/disbursement/steps.hpp"
#include "actors/shared/suspense.hpp"

namespace rahat {

namespace {

using state = disbursement::state;

/// Forgets the list's contents; its id stays, so that late answers to it are recognised.
void drop_list(state& now) {
  now.clear_batches();
  now.clear_batches_answered();
  now.clear_chunks();
  now.clear_lines();
  now.clear_amount_minor();
  now.clear_digest();
  now.clear_approvals();
  now.clear_approved_us();
}

void on(state& now, const pb::DisbursementAsked& e) {
  now.set_status(pb::DISBURSEMENT_OPENING);
  *now.mutable_details() = e.ask();
  now.set_created_by(e.by());
  now.set_waiting_request(e.request());
}

/// As if it had never been asked for; money that it keeps in suspense is money all the same.
void on(state& now, const pb::DisbursementNotCreated&) {
  state none;
  none.mutable_suspense()->Swap(now.mutable_suspense());
  now.Swap(&none);
}

void on(state& now, const pb::DisbursementCreated& e) {
  now.set_status(pb::DISBURSEMENT_DRAFT);
  *now.mutable_details() = e.ask();
  now.set_created_by(e.by());
  now.set_created_us(e.at_us());
  now.set_reserve_account(e.reserve_account());
  now.clear_waiting_request();
}

void on(state& now, const pb::LockAsked& e) {
  now.set_status(pb::DISBURSEMENT_LOCKING);
  now.set_list(e.list());
  now.set_round(e.round());
  now.set_lock_asked_by(e.by());
  now.clear_reason();
}

void on(state& now, const pb::LockSpread& e) {
  std::uint32_t first_line = 0;
  for (auto& id : e.batches()) {
    auto& batch = *now.add_batches();
    batch.set_id(id);
    batch.set_first_line(first_line);
    first_line += disbursement::lines_per_batch;
  }
  now.set_currency(e.currency());
  now.set_budget_account(e.budget_account());
}

/// Puts the chunks of all batches into one table, in the order of the list, whoever came first.
void line_up_chunks(state& now) {
  for (int i = 0; i < now.batches_size(); ++i) {
    auto& batch = *now.mutable_batches(i);
    batch.set_first_chunk(static_cast<std::uint32_t>(now.chunks_size()));
    batch.set_chunk_count(static_cast<std::uint32_t>(batch.pending_size()));
    for (auto& lines : *batch.mutable_pending()) {
      auto& chunk = *now.add_chunks();
      chunk.set_batch(static_cast<std::uint32_t>(i));
      chunk.mutable_lines()->Swap(&lines);
    }
    batch.clear_pending();
    now.set_lines(now.lines() + batch.count());
    now.set_amount_minor(now.amount_minor() + batch.sum_minor());
  }
}

void on(state& now, const pb::BatchAnswered& e) {
  auto& answer = e.answer();
  for (auto& batch : *now.mutable_batches()) {
    if (batch.id() != answer.batch())
      continue;
    must_hold(!batch.answered(), "a batch answered twice");
    batch.set_answered(true);
    batch.set_refused(answer.refused());
    batch.set_count(answer.count());
    batch.set_sum_minor(answer.sum_minor());
    for (auto& chunk : answer.chunks())
      if (chunk.count() > 0)
        *batch.add_pending() = chunk;
    now.set_batches_answered(now.batches_answered() + 1);
    if (now.batches_answered() == static_cast<std::uint32_t>(now.batches_size()))
      line_up_chunks(now);
    return;
  }
  throw broken_invariant("a batch answered that was not asked");
}

void on(state& now, const pb::DisbursementLocked& e) {
  must_hold(e.lines() == now.lines() && e.amount_minor() == now.amount_minor(),
            "the locked list is not the one that the batches answered");
  now.set_status(pb::DISBURSEMENT_LOCKED);
  now.set_digest(e.digest());
}

void on(state& now, const pb::LockFailed& e) {
  drop_list(now);
  now.set_status(pb::DISBURSEMENT_DRAFT);
  now.set_reason(e.reason());
}

void on(state& now, const pb::DisbursementApproved& e) {
  *now.add_approvals() = e;
  now.set_status(pb::DISBURSEMENT_APPROVED);
  now.set_approved_us(e.at_us());
  now.clear_reason();
}

void on(state& now, const pb::DisbursementRejected& e) {
  drop_list(now);
  now.set_status(pb::DISBURSEMENT_DRAFT);
  now.set_reason(e.reason());
}

void on(state& now, const pb::ReserveAsked&) {
  now.set_status(pb::DISBURSEMENT_RESERVING);
  now.set_reserve_pending(true);
}

void on(state& now, const pb::ReserveFailed& e) {
  now.set_reserve_pending(false);
  if (now.status() != pb::DISBURSEMENT_RESERVING)
    return; // it is being cancelled, and keeps that reason
  now.set_status(pb::DISBURSEMENT_LOCKED);
  now.clear_approvals();
  now.clear_approved_us();
  now.set_reason(e.reason());
}

void on(state& now, const pb::Reserved& e) {
  must_hold(now.reserve_pending(), "a reserve came that nobody had asked for");
  now.set_reserve_pending(false);
  now.set_reserve_minor(now.reserve_minor() + e.amount_minor());
  now.set_reserved_minor(e.amount_minor());
  now.set_project_status(pb::PROJECT_ACTIVE); // or the project would not have granted it
  if (now.status() != pb::DISBURSEMENT_RESERVING)
    return;
  now.set_status(pb::DISBURSEMENT_PAYING);
  now.set_paying_since_us(e.at_us());
}

void on(state& now, const pb::ChunkDecided& e) {
  must_hold(e.chunk() == now.next_chunk() && static_cast<int>(e.chunk()) < now.chunks_size(),
            "chunks are decided one after the other");
  auto& lines = now.chunks(static_cast<int>(e.chunk())).lines();
  now.set_next_chunk(e.chunk() + 1);
  now.set_lines_decided(now.lines_decided() + lines.count());
  now.set_decided_minor(now.decided_minor() + lines.sum_minor());
  now.set_reserve_minor(now.reserve_minor() - lines.sum_minor());
  must_hold(now.reserve_minor() >= 0, "a reserve was overdrawn");
}

void on(state& now, const pb::ChunkArrived& e) {
  must_hold(e.chunk() < now.next_chunk(), "a chunk arrived that was not decided");
  auto& chunk = *now.mutable_chunks(static_cast<int>(e.chunk()));
  must_hold(!chunk.applied(), "a chunk arrived twice");
  chunk.set_applied(true);
  now.set_chunks_applied(now.chunks_applied() + 1);
  now.set_lines_paid(now.lines_paid() + chunk.lines().count());
  now.set_paid_minor(now.paid_minor() + chunk.lines().sum_minor());
}

void on(state& now, const pb::DisbursementPaused& e) {
  now.set_paused_from(now.status());
  now.set_status(pb::DISBURSEMENT_PAUSED);
  now.set_reason(e.reason());
}

void on(state& now, const pb::DisbursementResumed&) {
  now.set_status(now.paused_from());
  now.clear_paused_from();
  now.clear_reason();
}

void on(state& now, const pb::CancelAsked& e) {
  now.set_status(pb::DISBURSEMENT_CANCELLING);
  now.clear_paused_from();
  now.set_reason(e.reason());
}

void on(state& now, const pb::UnspentReturned& e) {
  now.set_reserve_minor(now.reserve_minor() - e.amount_minor());
  must_hold(now.reserve_minor() == 0, "the whole rest of a reserve goes back at once");
}

void on(state& now, const pb::DisbursementCancelled& e) {
  now.set_status(pb::DISBURSEMENT_CANCELLED);
  now.set_ended_us(e.at_us());
}

void on(state& now, const pb::DisbursementCompleted& e) {
  now.set_status(pb::DISBURSEMENT_COMPLETED);
  now.clear_paused_from();
  now.clear_reason();
  now.set_ended_us(e.at_us());
}

void on(state& now, const pb::StrayCredit& e) {
  if (!e.returned())
    hold_in_suspense(*now.mutable_suspense(), e.currency(), e.amount_minor());
}

void on(state& now, const pb::DisbursementProjectKnown& e) {
  now.set_project_status(e.status());
}

} // namespace

void disbursement::evolve(state& now, const event& happened) {
  switch (happened.event_case()) {
    case event::kCreated: return on(now, happened.created());
    case event::kLockAsked: return on(now, happened.lock_asked());
    case event::kLockSpread: return on(now, happened.lock_spread());
    case event::kBatchAnswered: return on(now, happened.batch_answered());
    case event::kLocked: return on(now, happened.locked());
    case event::kLockFailed: return on(now, happened.lock_failed());
    case event::kApproved: return on(now, happened.approved());
    case event::kRejected: return on(now, happened.rejected());
    case event::kReserveAsked: return on(now, happened.reserve_asked());
    case event::kReserveFailed: return on(now, happened.reserve_failed());
    case event::kReserved: return on(now, happened.reserved());
    case event::kChunkDecided: return on(now, happened.chunk_decided());
    case event::kChunkArrived: return on(now, happened.chunk_arrived());
    case event::kPaused: return on(now, happened.paused());
    case event::kResumed: return on(now, happened.resumed());
    case event::kCancelAsked: return on(now, happened.cancel_asked());
    case event::kUnspentReturned: return on(now, happened.unspent_returned());
    case event::kCancelled: return on(now, happened.cancelled());
    case event::kCompleted: return on(now, happened.completed());
    case event::kStrayCredit: return on(now, happened.stray_credit());
    case event::kProjectKnown: return on(now, happened.project_known());
    case event::kAsked: return on(now, happened.asked());
    case event::kNotCreated: return on(now, happened.not_created());
    case event::EVENT_NOT_SET: break;
  }
  throw broken_invariant("a disbursement's journal holds an event that this release cannot read");
}

} // namespace rahat
