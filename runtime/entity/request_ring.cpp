#include "runtime/entity/request_ring.hpp"

#include <algorithm>

namespace rahat {

const request_ring::mark* request_ring::find(const uuid& id) const {
  auto found = index_.find(id);
  return found == index_.end() ? nullptr : &marks_[found->second];
}

void request_ring::remember(const mark& m) {
  if (marks_.size() < capacity_) {
    index_.emplace(m.id, static_cast<std::uint32_t>(marks_.size()));
    marks_.push_back(m);
    return;
  }
  auto& slot = marks_[oldest_];
  if (!evicted_)
    evicted_ = std::make_unique<evicted_ids>();
  evicted_->add(slot.id, slot.at_us);
  index_.erase(slot.id);
  slot = m;
  index_.emplace(m.id, static_cast<std::uint32_t>(oldest_));
  oldest_ = (oldest_ + 1) % capacity_;
}

void request_ring::answered(const uuid& id) {
  auto found = index_.find(id);
  if (found != index_.end())
    marks_[found->second].pending = false;
}

void request_ring::save(wire::Snapshot& out) const {
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    auto& m = marks_[(oldest_ + i) % marks_.size()];
    auto& saved = *out.add_requests();
    saved.set_id(m.id.raw());
    saved.set_payload_hash(m.payload_hash);
    saved.set_at_us(m.at_us);
    saved.set_pending(m.pending);
  }
  if (evicted_)
    evicted_->save(out);
}

void request_ring::load(const wire::Snapshot& in) {
  if (in.evicted_size() > 0) {
    evicted_ = std::make_unique<evicted_ids>();
    evicted_->load(in);
  }
  for (auto& saved : in.requests())
    remember({uuid::from_raw(saved.id()), saved.payload_hash(), saved.at_us(), saved.pending()});
}

} // namespace rahat
