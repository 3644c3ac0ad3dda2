#include "persistence/postgres/work_queue.hpp"

#include <algorithm>

#include <utility>

namespace rahat::pg {

queued_commit::~queued_commit() {
  failed({commit_failure::unavailable, "the store's writer has failed: the outcome is unknown"});
}

void queued_commit::landed(std::uint64_t position) {
  if (const auto to = settle())
    to->committed(what.seq, position);
}

void queued_commit::failed(const commit_refusal& why) {
  if (const auto to = settle())
    to->failed(what.seq, why);
}

std::shared_ptr<commit_listener> queued_commit::settle() {
  if (auto* credit = std::exchange(charged, nullptr))
    credit->fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  return std::move(listener);
}

queued_load::~queued_load() {
  answer(error{errc::unavailable, "the store's writer has failed: try again", {}});
}

void queued_load::answer(outcome<loaded_entity> found) {
  if (const auto tell = std::exchange(done, nullptr))
    tell(std::move(found));
}

std::size_t rows_of(const commit& c) {
  std::size_t rows = 1 + (c.request ? 1 : 0) + c.answered.size() + c.transfers.size() +
                     c.payments.size() + c.accounts.size() + c.outbox.size() + c.timers.size() +
                     c.queries.size() + c.totals.size();
  for (auto& list : c.lines)
    rows += list.rows.size();
  for (auto& chunk : c.staged)
    rows += 2 * chunk.rows.size() + chunk.errors.size(); // each row brings its key
  return rows;
}

void work_queue::push(const entity_ref& entity, step s) {
  auto& slot = *lines_.try_emplace(entity).first;
  if (slot.second.steps.empty())
    turns_.push_back(&slot);
  slot.second.steps.push_back(std::move(s));
}

void work_queue::push(std::unique_ptr<queued_commit> c) {
  ++commits_;
  const auto& entity = c->what.entity; // stays: the step holds the commit by pointer
  push(entity, {std::move(c), nullptr});
}

void work_queue::push(std::unique_ptr<queued_load> l) {
  const auto& entity = l->entity;
  push(entity, {nullptr, std::move(l)});
}

bool work_queue::holds(shard_id shard) const {
  return std::any_of(turns_.begin(), turns_.end(),
                     [shard](auto* slot) { return shard_of(slot->first) == shard; });
}

work_queue::round work_queue::take(const bounds& most) {
  round out;
  ++round_;
  std::size_t rows = 0, bytes = 0, payments = 0;
  std::size_t waiting = 0; // lines met in a row that could give nothing
  while (!turns_.empty() && waiting < turns_.size()) {
    auto* slot = turns_.front();
    auto& line = slot->second;
    auto& head = line.steps.front();
    if (head.load != nullptr && line.taken_in == round_) {
      turns_.pop_front();
      turns_.push_back(slot); // behind its own commits: next round
      ++waiting;
      continue;
    }
    if (head.commit != nullptr) {
      const auto& c = head.commit->what;
      const auto more = rows_of(c);
      const bool fits = rows + more <= most.rows && bytes + head.commit->bytes <= most.bytes &&
                        payments + c.payments.size() <= most.payments;
      if (!fits && !out.commits.empty())
        break;
      rows += more;
      bytes += head.commit->bytes;
      payments += c.payments.size();
      line.taken_in = round_;
      --commits_;
      out.commits.push_back(std::move(head.commit));
    } else {
      out.loads.push_back(std::move(head.load));
    }
    waiting = 0;
    turns_.pop_front();
    line.steps.pop_front();
    if (line.steps.empty())
      lines_.erase(lines_.find(slot->first));
    else
      turns_.push_back(slot);
  }
  return out;
}

} // namespace rahat::pg
