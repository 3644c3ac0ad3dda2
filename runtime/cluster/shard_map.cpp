#include "runtime/cluster/shard_map.hpp"

namespace rahat::cluster {

namespace {

shard_map::merge judge(const shard_owner& known, const shard_owner& heard) {
  using merge = shard_map::merge;
  if (heard.epoch != known.epoch)
    return heard.epoch > known.epoch ? merge::newer : merge::known;
  if (heard.node == known.node)
    return merge::known;
  if (heard.free())
    return merge::newer; // a release keeps the epoch
  return known.free() ? merge::known : merge::conflict;
}

} // namespace

shard_map::shard_map() : now_(std::make_shared<const table>()) {}

shard_map::snapshot shard_map::read() const {
  std::lock_guard lock(mutex_);
  return now_;
}

shard_map::merged shard_map::rows_read(const std::vector<row>& rows) {
  std::lock_guard lock(mutex_);
  merged out;
  auto next = std::make_shared<table>(*now_);
  for (const auto& r : rows) {
    if (r.shard >= shard_count) {
      ++out.conflicts;
      continue;
    }
    const auto found = judge(next->owners[r.shard], r.owner);
    out.conflicts += found == merge::conflict ? 1 : 0;
    if (found != merge::newer)
      continue;
    next->owners[r.shard] = r.owner;
    ++out.newer;
  }
  if (out.newer > 0) {
    ++next->version;
    now_ = std::move(next);
  }
  return out;
}

shard_map::merge shard_map::moved(shard_id shard, const shard_owner& now) {
  return one(shard, now);
}

shard_map::merge shard_map::taken(shard_id shard, const uuid& self, std::int64_t epoch) {
  return one(shard, {self, epoch});
}

shard_map::merge shard_map::released(shard_id shard, std::int64_t epoch) {
  return one(shard, {uuid{}, epoch});
}

void shard_map::forget() {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<table>();
  next->version = now_->version + 1;
  now_ = std::move(next);
}

shard_map::merge shard_map::one(shard_id shard, const shard_owner& heard) {
  if (shard >= shard_count)
    return merge::no_such_shard;
  std::lock_guard lock(mutex_);
  const auto found = judge(now_->owners[shard], heard);
  if (found != merge::newer)
    return found;
  auto next = std::make_shared<table>(*now_);
  next->owners[shard] = heard;
  ++next->version;
  now_ = std::move(next);
  return found;
}

} // namespace rahat::cluster
