#include "persistence/memory/memory_database.hpp"

namespace rahat {

memory_database::memory_database() {
  for (shard_id shard = 0; shard < shard_count; ++shard)
    tables_.shards[shard];
}

void memory_database::fence(shard_id shard) {
  std::lock_guard guard(mutex_);
  auto& row = tables_.shards.at(shard);
  row.owner = 0;
  ++row.epoch;
}

void memory_database::new_generation() {
  std::lock_guard guard(mutex_);
  for (auto& [shard, row] : tables_.shards) {
    row.owner = 0;
    ++row.generation;
  }
}

std::vector<journal_row> memory_database::journal() const {
  std::lock_guard guard(mutex_);
  std::vector<journal_row> rows;
  for (auto& [position, key] : tables_.positions)
    rows.push_back(tables_.journal.at(key));
  return rows;
}

std::vector<journal_row> memory_database::journal_of(const entity_ref& entity) const {
  std::lock_guard guard(mutex_);
  std::vector<journal_row> rows;
  auto at = tables_.journal.lower_bound({entity, 0});
  for (; at != tables_.journal.end() && at->first.first == entity; ++at)
    rows.push_back(at->second);
  return rows;
}

std::vector<std::pair<memory::line_key, memory::transfer_row>> memory_database::transfers() const {
  std::lock_guard guard(mutex_);
  return {tables_.transfers.begin(), tables_.transfers.end()};
}

std::vector<std::pair<std::pair<entity_ref, std::string>, memory::total_row>>
memory_database::totals() const {
  std::lock_guard guard(mutex_);
  return {tables_.totals.begin(), tables_.totals.end()};
}

std::vector<std::pair<memory::outbox_key, memory::waiting_message>> memory_database::outbox()
    const {
  std::lock_guard guard(mutex_);
  return {tables_.outbox.begin(), tables_.outbox.end()};
}

memory::tables memory_database::copy() const {
  std::lock_guard guard(mutex_);
  return tables_;
}

} // namespace rahat
