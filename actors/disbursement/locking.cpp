#include "actors/disbursement/steps.hpp"

#include <algorithm>

namespace rahat::disbursing {

namespace {

decision fail_lock(const state& now, std::string reason, const context& ctx) {
  event happened;
  happened.mutable_lock_failed()->set_reason(std::move(reason));
  decision d;
  d.record(happened);
  unlock_all(d, now, ctx);
  return d;
}

/// Why nothing can be locked in such a project; empty if it can.
std::string refusal_of(const state& now, const pb::ProjectFact& project) {
  if (project.status() == pb::PROJECT_NONE)
    return "the project does not exist";
  if (project.status() != pb::PROJECT_ACTIVE)
    return "the project is not active: activate it first";
  auto& currency = now.details().currency();
  if (!currency.empty() && currency != project.currency())
    return "the project's currency is " + project.currency() + ", not " + currency;
  if (project.batches().empty())
    return "the project has no batches: upload a register first";
  return {};
}

const pb::BatchEntry* entry_of(const pb::ProjectFact& project, const std::string& batch) {
  auto found = std::find_if(project.batches().begin(), project.batches().end(),
                            [&](const pb::BatchEntry& entry) { return entry.id() == batch; });
  return found == project.batches().end() ? nullptr : &*found;
}

/// The batches to be locked with their members, or the reason why not.
struct selection {
  std::vector<std::string> batches;
  std::uint64_t members = 0;
  std::string fault;
};

selection select_batches(const state& now, const pb::ProjectFact& project) {
  selection out;
  auto take = [&](const pb::BatchEntry& entry) {
    out.batches.push_back(entry.id());
    out.members += entry.members();
  };
  if (now.details().batches().empty())
    std::for_each(project.batches().begin(), project.batches().end(), take);
  for (auto& named : now.details().batches()) {
    auto* entry = entry_of(project, named);
    if (entry == nullptr) {
      out.fault = "batch " + uuid::from_raw(named).str() + " is not one of this project";
      return out;
    }
    take(*entry);
  }
  if (out.batches.size() > static_cast<std::size_t>(disbursement::max_batches))
    out.fault = "the project has more than 500 batches: name those to be paid";
  else if (out.members > disbursement::max_lines)
    out.fault = "the batches have more than 1000000 members: make several disbursements";
  return out;
}

/// The place of a batch in the list, or nothing.
std::optional<int> place_of(const state& now, const std::string& batch) {
  for (int i = 0; i < now.batches_size(); ++i)
    if (now.batches(i).id() == batch)
      return i;
  return std::nullopt;
}

/// A list whose lines may still be paid, or are being paid.
bool is_alive(const state& now, const std::string& list) {
  return list == now.list() && now.status() != pb::DISBURSEMENT_NONE &&
         now.status() != pb::DISBURSEMENT_DRAFT && now.status() != pb::DISBURSEMENT_CANCELLED &&
         now.status() != pb::DISBURSEMENT_COMPLETED;
}

void unlock(decision& d, const pb::BatchLocked& answer, const context& ctx) {
  pb::BatchMessage notice;
  notice.mutable_unlock()->set_disbursement(ctx.self.id.raw());
  notice.mutable_unlock()->set_list(answer.list());
  d.tell(batch_ref(answer.batch()), notice);
}

/// The answer as it counts: one that does not add up is taken as a refusal, and a refusal has no
/// lines.
pb::BatchLocked checked(const pb::BatchLocked& answer, std::uint32_t first_line) {
  auto refusal = answer.refused().empty() ? fault_in(answer, first_line) : answer.refused();
  if (refusal.empty())
    return answer;
  pb::BatchLocked refused;
  refused.set_batch(answer.batch());
  refused.set_list(answer.list());
  refused.set_refused(std::move(refusal));
  return refused;
}

std::string refusals_of(const state& now) {
  for (auto& batch : now.batches())
    if (!batch.refused().empty())
      return "batch " + uuid::from_raw(batch.id()).str() + ": " + batch.refused();
  return {};
}

/// What follows once the last batch has answered; `then` is the state after its answer.
decision last_answer(decision d, const state& then, const context& ctx) {
  if (then.status() == pb::DISBURSEMENT_CANCELLING) {
    end_cancelled(d, then, ctx);
    return d;
  }
  auto reason = refusals_of(then);
  if (reason.empty() && then.lines() == 0)
    reason = "nobody in these batches has an amount to be paid";
  if (reason.empty())
    return d; // the search for duplicates is work of its own
  event happened;
  happened.mutable_lock_failed()->set_reason(reason);
  d.record(happened);
  unlock_all(d, then, ctx);
  return d;
}

std::string duplicates_reason(const wire::Feed& duplicates) {
  auto reason = "lines_rejected: " + std::to_string(duplicates.total()) +
                " lines pay a person who has an earlier line; the first of them:";
  auto named = std::min(duplicates.rows_size(), disbursement::duplicates_named);
  for (int i = 0; i < named; ++i)
    reason += (i == 0 ? " " : ", ") + std::to_string(duplicates.rows(i).ordinal());
  return reason;
}

} // namespace

bool answers_lock(const state& now, const pb::ProjectFact& project) {
  return now.status() == pb::DISBURSEMENT_LOCKING && now.batches().empty() &&
         project.project() == now.details().project() && project.list() == now.list();
}

decision spread_lock(const state& now, const pb::ProjectFact& project, const context& ctx) {
  if (auto fault = refusal_of(now, project); !fault.empty())
    return fail_lock(now, std::move(fault), ctx);
  auto chosen = select_batches(now, project);
  if (!chosen.fault.empty())
    return fail_lock(now, std::move(chosen.fault), ctx);

  event happened;
  auto& spread = *happened.mutable_lock_spread();
  spread.set_currency(project.currency());
  spread.set_budget_account(project.budget_account());
  decision d;
  std::uint32_t first_line = 0;
  for (auto& batch : chosen.batches) {
    spread.add_batches(batch);
    pb::BatchMessage question;
    auto& lock = *question.mutable_lock();
    lock.set_disbursement(ctx.self.id.raw());
    lock.set_list(now.list());
    lock.set_first_line(first_line);
    lock.set_amount_each_minor(now.details().amount_each_minor());
    d.tell(batch_ref(batch), question);
    first_line += disbursement::lines_per_batch;
  }
  d.record(happened);
  if (now.currency().empty()) { // the first lock: drafts that are never locked need no account
    auto account = uuid::from_raw(now.reserve_account());
    d.open_account(
        {account, account, uuid::from_raw(now.details().project()), project.currency(), "reserve"});
  }
  return d;
}

decision batch_locked(const state& now, const pb::BatchLocked& answer, const context& ctx) {
  auto place = place_of(now, answer.batch());
  bool alive = place && is_alive(now, answer.list());
  decision d;
  if (!alive && answer.refused().empty())
    unlock(d, answer, ctx); // nobody will ever pay these lines
  if (!alive || now.batches(*place).answered())
    return d;

  auto taken = checked(answer, now.batches(*place).first_line());
  event happened;
  *happened.mutable_batch_answered()->mutable_answer() = taken;
  d.record(happened);
  if (!taken.refused().empty() && answer.refused().empty())
    unlock(d, answer, ctx);
  if (now.batches_answered() + 1 < static_cast<std::uint32_t>(now.batches_size()))
    return d;
  auto then = after(now, d);
  return last_answer(std::move(d), then, ctx);
}

bool all_batches_locked(const state& now) {
  return now.status() == pb::DISBURSEMENT_LOCKING && now.batches_size() > 0 &&
         now.batches_answered() == static_cast<std::uint32_t>(now.batches_size());
}

decision finish_lock(const state& now, const context& ctx) {
  if (ctx.feed == nullptr)
    return {};
  if (ctx.feed->total() > 0)
    return fail_lock(now, duplicates_reason(*ctx.feed), ctx);

  event happened;
  auto& locked = *happened.mutable_locked();
  locked.set_digest(std::string(view(digest_of_list(now))));
  locked.set_lines(now.lines());
  locked.set_amount_minor(now.amount_minor());
  decision d;
  d.record(happened);
  return d;
}

} // namespace rahat::disbursing
