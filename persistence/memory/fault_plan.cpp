#include "persistence/memory/fault_plan.hpp"

namespace rahat {

void fault_plan::fail_before_commit(std::uint32_t batches) {
  std::lock_guard guard(mutex_);
  fail_before_commit_ = batches;
}

void fault_plan::lose_reply(std::uint32_t batches) {
  std::lock_guard guard(mutex_);
  lose_reply_ = batches;
}

void fault_plan::deadlock(std::uint32_t batches) {
  std::lock_guard guard(mutex_);
  deadlock_ = batches;
}

void fault_plan::serialisation(std::uint32_t batches) {
  std::lock_guard guard(mutex_);
  serialisation_ = batches;
}

void fault_plan::down(std::uint32_t operations) {
  std::lock_guard guard(mutex_);
  down_ = operations;
}

void fault_plan::slow(std::uint32_t steps, std::chrono::milliseconds delay) {
  std::lock_guard guard(mutex_);
  slow_steps_ = steps;
  slow_delay_ = delay;
}

void fault_plan::fence(shard_id shard, std::uint32_t after_commits) {
  std::lock_guard guard(mutex_);
  fences_[shard] = after_commits;
}

void fault_plan::poison(const entity_ref& entity, std::uint32_t times) {
  std::lock_guard guard(mutex_);
  poisoned_[entity] = times;
}

void fault_plan::deadly(const entity_ref& entity, std::uint32_t times) {
  std::lock_guard guard(mutex_);
  deadly_[entity] = times;
}

void fault_plan::heal() {
  std::lock_guard guard(mutex_);
  fail_before_commit_ = lose_reply_ = deadlock_ = serialisation_ = down_ = slow_steps_ = 0;
  slow_delay_ = {};
  fences_.clear();
  poisoned_.clear();
  deadly_.clear();
}

bool fault_plan::take(std::uint32_t& count) {
  if (count == 0)
    return false;
  if (count != always)
    --count;
  return true;
}

bool fault_plan::take_down() {
  std::lock_guard guard(mutex_);
  return take(down_);
}

fault_plan::batch_fault fault_plan::take_batch_fault() {
  std::lock_guard guard(mutex_);
  if (take(fail_before_commit_))
    return batch_fault::fail_before_commit;
  if (take(deadlock_))
    return batch_fault::deadlock;
  if (take(serialisation_))
    return batch_fault::serialisation;
  if (take(lose_reply_))
    return batch_fault::lose_reply;
  return batch_fault::none;
}

std::pair<std::uint32_t, std::chrono::milliseconds> fault_plan::delay() const {
  std::lock_guard guard(mutex_);
  return {slow_steps_, slow_delay_};
}

bool fault_plan::take(counts& of, const std::set<entity_ref>& entities) {
  bool found = false;
  for (auto& [entity, times] : of)
    if (entities.contains(entity) && take(times))
      found = true;
  return found;
}

bool fault_plan::take_poison(const std::set<entity_ref>& entities) {
  std::lock_guard guard(mutex_);
  return take(poisoned_, entities);
}

bool fault_plan::take_deadly(const std::set<entity_ref>& entities) {
  std::lock_guard guard(mutex_);
  return take(deadly_, entities);
}

std::vector<shard_id> fault_plan::take_fences(const std::set<shard_id>& touched) {
  std::lock_guard guard(mutex_);
  std::vector<shard_id> due;
  for (auto shard : touched) {
    auto at = fences_.find(shard);
    if (at == fences_.end() || at->second > 0)
      continue;
    due.push_back(shard);
    fences_.erase(at);
  }
  return due;
}

void fault_plan::landed(shard_id shard) {
  std::lock_guard guard(mutex_);
  auto at = fences_.find(shard);
  if (at != fences_.end() && at->second > 0)
    --at->second;
}

} // namespace rahat
