#include "actors/disbursement/steps.hpp"

namespace rahat::disbursing {

namespace {

/// What was reserved and not decided goes back to the project's budget.
void return_unspent(decision& d, const state& now, const context& ctx) {
  transfer back;
  back.purpose = purpose_of(ctx.self, "unspent", now.list());
  back.debit = uuid::from_raw(now.reserve_account());
  back.credit = uuid::from_raw(now.budget_account());
  back.amount_minor = now.reserve_minor();
  back.currency = now.currency();
  back.credit_owner = project_of(now);
  back.why = "unspent";
  back.reference = uuid::from_raw(now.list()).str();
  event happened;
  happened.mutable_unspent_returned()->set_purpose(back.purpose.raw());
  happened.mutable_unspent_returned()->set_amount_minor(back.amount_minor);
  d.record(happened).move(std::move(back));
}

void end_reservation(decision& d, const state& now, const context& ctx) {
  if (now.reserved_minor() == 0)
    return;
  pb::ProjectMessage notice;
  assign(*notice.mutable_reservation_ended()->mutable_disbursement(), ctx.self);
  d.tell(project_of(now), notice);
}

} // namespace

bool waits_for_others(const state& now) {
  return now.batches_answered() < static_cast<std::uint32_t>(now.batches_size()) ||
         now.reserve_pending() || now.chunks_applied() < now.next_chunk();
}

void unlock_all(decision& d, const state& now, const context& ctx) {
  pb::BatchMessage notice;
  notice.mutable_unlock()->set_disbursement(ctx.self.id.raw());
  notice.mutable_unlock()->set_list(now.list());
  for (auto& batch : now.batches())
    if (batch.answered() && batch.refused().empty())
      d.tell(batch_ref(batch.id()), notice);
}

void end_cancelled(decision& d, const state& now, const context& ctx) {
  must_hold(!waits_for_others(now), "a disbursement ended while it waited for an answer");
  if (now.reserve_minor() > 0)
    return_unspent(d, now, ctx);
  event happened;
  happened.mutable_cancelled()->set_at_us(ctx.now_us);
  d.record(happened);
  unlock_all(d, now, ctx);
  end_reservation(d, now, ctx);
}

void end_completed(decision& d, const state& now, const context& ctx) {
  must_hold(!waits_for_others(now), "a disbursement ended while it waited for an answer");
  if (now.reserve_minor() > 0)
    return_unspent(d, now, ctx);
  event happened;
  happened.mutable_completed()->set_at_us(ctx.now_us);
  d.record(happened);
  unlock_all(d, now, ctx);
  end_reservation(d, now, ctx);
}

state after(const state& now, const decision& d) {
  auto then = now;
  for (auto& recorded : d.events()) {
    event happened;
    must_hold(happened.ParseFromString(recorded.bytes), "a recorded event is unreadable");
    disbursement::evolve(then, happened);
  }
  return then;
}

} // namespace rahat::disbursing
