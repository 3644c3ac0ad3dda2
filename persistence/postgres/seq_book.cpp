#include "persistence/postgres/seq_book.hpp"

#include <utility>

namespace rahat::pg {

seq_book::entry* seq_book::find(const entity_ref& entity) {
  if (auto found = young_.find(entity); found != young_.end())
    return &found->second;
  if (!old_.contains(entity))
    return nullptr;
  return &at(entity);
}

seq_book::entry& seq_book::at(const entity_ref& entity) {
  if (auto found = young_.find(entity); found != young_.end())
    return found->second;
  if (young_.size() >= half_) {
    old_ = std::move(young_);
    young_.clear();
  }
  entry was;
  if (auto node = old_.extract(entity))
    was = node.mapped();
  return young_.emplace(entity, was).first->second;
}

} // namespace rahat::pg
