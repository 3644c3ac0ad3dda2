#include "actors/disbursement/steps.hpp"

namespace rahat::disbursing {

namespace {

bool waits_for_reserve(const state& now) {
  return now.reserve_pending() && (now.status() == pb::DISBURSEMENT_RESERVING ||
                                   now.status() == pb::DISBURSEMENT_CANCELLING);
}

bool pays(const state& now) {
  return now.status() == pb::DISBURSEMENT_PAYING || now.status() == pb::DISBURSEMENT_PAUSED;
}

/// The chunk that the notice means, if its wallets have been paid and nobody has said so yet.
std::optional<int> decided_chunk(const state& now, const pb::ChunkApplied& notice) {
  if (notice.list() != now.list())
    return std::nullopt;
  auto decided = static_cast<int>(now.next_chunk());
  for (auto& batch : now.batches()) {
    if (batch.id() != notice.batch())
      continue;
    auto first = static_cast<int>(batch.first_chunk());
    auto end = std::min(first + static_cast<int>(batch.chunk_count()), decided);
    for (int i = first; i < end; ++i)
      if (now.chunks(i).lines().chunk() == notice.chunk() && !now.chunks(i).applied())
        return i;
  }
  return std::nullopt;
}

line_payment payment_of(const state& now, const pb::PayChunkState& chunk) {
  line_payment payment;
  payment.disbursement = uuid::from_raw(now.list());
  payment.first = chunk.lines().first();
  payment.last = chunk.lines().last();
  payment.debit = uuid::from_raw(now.reserve_account());
  payment.currency = now.currency();
  payment.count = chunk.lines().count();
  payment.sum_minor = chunk.lines().sum_minor();
  auto& digest = chunk.lines().digest();
  must_hold(digest.size() == payment.lines_digest.size(), "a chunk's digest has 32 bytes");
  std::copy(digest.begin(), digest.end(), payment.lines_digest.begin());
  payment.credit_owner = batch_ref(now.batches(static_cast<int>(chunk.batch())).id());
  return payment;
}

pb::BatchMessage notice_of(const state& now, const pb::PayChunkState& chunk, const uuid& self) {
  pb::BatchMessage notice;
  auto& pay = *notice.mutable_pay();
  pay.set_disbursement(self.raw());
  pay.set_list(now.list());
  pay.set_chunk(chunk.lines().chunk());
  pay.set_count(chunk.lines().count());
  pay.set_sum_minor(chunk.lines().sum_minor());
  pay.set_digest(chunk.lines().digest());
  return notice;
}

} // namespace

/// The purpose is derived from the project and the list, so that it stands for both.
bool is_awaited_reserve(const state& now, const wire::Credit& credit, const context&) {
  return waits_for_reserve(now) && credit.why() == "reserve" &&
         ref_of(credit.from()) == project_of(now) &&
         credit.purpose() == purpose_of(project_of(now), "reserve", now.list()).raw() &&
         credit.credit_account() == now.reserve_account() &&
         credit.amount_minor() == now.amount_minor() && credit.currency() == now.currency();
}

decision reserved(const state& now, const wire::Credit& credit, const context& ctx) {
  event happened;
  auto& reserve = *happened.mutable_reserved();
  reserve.set_purpose(credit.purpose());
  reserve.set_amount_minor(credit.amount_minor());
  reserve.set_at_us(ctx.now_us);
  decision d;
  d.record(happened);
  if (now.status() == pb::DISBURSEMENT_CANCELLING) {
    auto then = after(now, d);
    end_cancelled(d, then, ctx);
  }
  return d;
}

decision reserve_refused(const state& now, const pb::ReserveAnswer& answer, const context& ctx) {
  if (!waits_for_reserve(now) || answer.list() != now.list())
    return {};
  event happened;
  happened.mutable_reserve_failed()->set_reason(answer.refused());
  decision d;
  d.record(happened);
  if (now.status() == pb::DISBURSEMENT_CANCELLING) {
    auto then = after(now, d);
    end_cancelled(d, then, ctx);
  }
  return d;
}

decision pay_next_chunk(const state& now, const context& ctx) {
  auto& chunk = now.chunks(static_cast<int>(now.next_chunk()));
  must_hold(now.reserve_minor() >= chunk.lines().sum_minor(),
            "the reserve does not cover the next chunk");
  event happened;
  happened.mutable_chunk_decided()->set_chunk(now.next_chunk());
  auto payment = payment_of(now, chunk);
  decision d;
  d.record(happened);
  d.tell(payment.credit_owner, notice_of(now, chunk, ctx.self.id));
  d.pay_lines(std::move(payment));
  return d;
}

decision chunk_applied(const state& now, const pb::ChunkApplied& notice, const context& ctx) {
  auto chunk = decided_chunk(now, notice);
  if (!chunk)
    return {};
  event happened;
  happened.mutable_chunk_arrived()->set_chunk(static_cast<std::uint32_t>(*chunk));
  decision d;
  d.record(happened);
  if (now.chunks_applied() + 1 < now.next_chunk())
    return d;
  if (now.status() == pb::DISBURSEMENT_CANCELLING)
    end_cancelled(d, after(now, d), ctx);
  else if (now.next_chunk() == static_cast<std::uint32_t>(now.chunks_size()))
    end_completed(d, after(now, d), ctx);
  return d;
}

decision project_changed(const state& now, const pb::ProjectFact& project, const context& ctx) {
  if (!pays(now) || project.project() != now.details().project() ||
      project.status() == now.project_status())
    return {};
  event known;
  known.mutable_project_known()->set_status(project.status());
  decision d;
  d.record(known);
  if (now.status() != pb::DISBURSEMENT_PAYING || project.status() == pb::PROJECT_ACTIVE)
    return d;
  event paused;
  paused.mutable_paused()->set_by(ctx.who.user);
  paused.mutable_paused()->set_reason(project.status() == pb::PROJECT_CLOSED ? "project closed"
                                                                             : "project suspended");
  d.record(paused);
  return d;
}

} // namespace rahat::disbursing
