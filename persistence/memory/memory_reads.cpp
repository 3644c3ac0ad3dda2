#include "persistence/memory/memory_store.hpp"

#include <algorithm>
#include <limits>

/// What hosts read of the twin, and the writes outside the fence.
namespace rahat {

using memory::tables;

namespace {

std::uint64_t committed_seq(const tables& db, const entity_ref& entity) {
  auto at = db.journal.upper_bound({entity, std::numeric_limits<std::uint64_t>::max()});
  if (at == db.journal.begin())
    return 0;
  --at;
  return at->first.first == entity ? at->first.second : 0;
}

std::vector<journal_row> rows_after(const tables& db, const entity_ref& entity, std::uint64_t after,
                                    std::size_t limit) {
  std::vector<journal_row> rows;
  auto at = db.journal.upper_bound({entity, after});
  for (; at != db.journal.end() && at->first.first == entity && rows.size() < limit; ++at)
    rows.push_back(at->second);
  return rows;
}

/// Rows of a person that has an earlier row; `all` in their order.
template <class Rows, class Describe>
wire::Feed duplicates(const Rows& all, std::uint32_t limit, Describe describe) {
  wire::Feed feed;
  std::set<uuid> seen;
  std::uint64_t total = 0;
  for (auto* row : all)
    if (!seen.insert(row->person).second && ++total <= limit)
      describe(*row, *feed.add_rows());
  feed.set_total(total);
  return feed;
}

void describe_row(const stored_row& row, wire::Feed::Row& out) {
  out.set_ordinal(row.ordinal);
  out.set_person(row.person.raw());
  out.set_amount_minor(row.amount_minor);
  out.set_row(row.row);
}

void describe_line(const stored_line& line, wire::Feed::Row& out) {
  out.set_ordinal(line.no);
  out.set_person(line.person.raw());
  out.set_amount_minor(line.amount_minor);
}

template <class Table>
auto of_list(const Table& table, const uuid& id) {
  std::vector<const typename Table::mapped_type*> rows;
  auto at = table.lower_bound({id, 0});
  for (; at != table.end() && at->first.first == id; ++at)
    rows.push_back(&at->second);
  return rows;
}

wire::Feed feed_of(const tables& db, const feed_request& what) {
  switch (what.kind) {
    case feed_request::what::upload_duplicates:
      return duplicates(of_list(db.rows, what.id), what.limit, describe_row);
    case feed_request::what::line_duplicates:
      return duplicates(of_list(db.lines, what.id), what.limit, describe_line);
    case feed_request::what::upload_rows: break;
  }
  wire::Feed feed;
  std::uint64_t total = 0;
  auto at = db.rows.lower_bound({what.id, what.first});
  for (; at != db.rows.end() && at->first <= memory::row_key{what.id, what.last}; ++at)
    if (++total <= what.limit)
      describe_row(at->second, *feed.add_rows());
  feed.set_total(total);
  return feed;
}

} // namespace

void memory_store::load(const entity_ref& entity, std::uint64_t incarnation,
                        std::uint32_t evolve_version, callback<loaded_entity> done) {
  auto op = read_of<loaded_entity>(std::move(done), [=, this](tables& db) {
    return load_now(db, entity, incarnation, evolve_version);
  });
  std::lock_guard guard(mutex_);
  if (!crashed_)
    enqueue(writers_[writer_of(shard_of(entity))].queue, std::move(op));
}

/// Runs when everything that was queued before it is settled; from here on the writer takes this
/// incarnation's commits only.
outcome<loaded_entity> memory_store::load_now(const tables& db, const entity_ref& entity,
                                              std::uint64_t incarnation,
                                              std::uint32_t evolve_version) {
  auto shard = shard_of(entity);
  if (!held_.contains(shard))
    return error{errc::unavailable, "another owner has the entity's shard", {}};
  auto seq = committed_seq(db, entity);
  lanes_[entity] = {shard, incarnation, seq, false};
  loaded_entity out;
  auto snapshot = db.snapshots.find(entity);
  if (snapshot != db.snapshots.end() && snapshot->second.evolve_version == evolve_version) {
    out.snapshot_seq = snapshot->second.seq;
    out.snapshot = snapshot->second.body;
  }
  out.tail = rows_after(db, entity, out.snapshot_seq, std::numeric_limits<std::size_t>::max());
  if (seq > 0)
    out.position = db.journal.at({entity, seq}).position;
  auto at = db.outbox.lower_bound({entity, {}, 0});
  for (; at != db.outbox.end() && std::get<0>(at->first) == entity; ++at)
    if (!is_acknowledged(at->first))
      out.outbox.push_back({std::get<1>(at->first), std::get<2>(at->first), at->second.body});
  return out;
}

void memory_store::find_request(const entity_ref& entity, const uuid& request,
                                callback<std::optional<request_row>> done) {
  using found = std::optional<request_row>;
  enqueue_read(read_of<found>(std::move(done), [=, this](tables& db) -> outcome<found> {
    auto at = db.requests.upper_bound({request, std::numeric_limits<std::int64_t>::max()});
    if (at == db.requests.begin())
      return found{};
    --at;
    auto oldest_day = time_.now_us() / memory::day_us - request_days;
    if (at->first.first != request || at->first.second < oldest_day || at->second.entity != entity)
      return found{};
    return found{request_row{request, at->second.payload_hash, at->second.reply}};
  }));
}

void memory_store::feed(const feed_request& what, callback<wire::Feed> done) {
  enqueue_read(
      read_of<wire::Feed>(std::move(done), [what](tables& db) { return feed_of(db, what); }));
}

void memory_store::save_snapshot(snapshot_row row) {
  operation op;
  op.run = [this, row = std::move(row)](tables& db) -> delivery {
    if (row.seq == 0 || row.seq > committed_seq(db, row.entity)) {
      ++snapshot_failures_; // a cache of what was never committed would be believed
      return nullptr;
    }
    auto& stored = db.snapshots[row.entity];
    if (row.seq > stored.seq ||
        (row.seq == stored.seq && row.evolve_version > stored.evolve_version))
      stored = row;
    return nullptr;
  };
  op.failed = [this](const error&) -> delivery {
    ++snapshot_failures_;
    return nullptr;
  };
  enqueue_read(std::move(op));
}

void memory_store::acknowledged(const entity_ref& source, const entity_ref& target,
                                std::uint64_t n) {
  std::lock_guard guard(mutex_);
  if (crashed_)
    return;
  auto& upto = acknowledged_[{source, target}];
  upto = std::max(upto, n);
  if (std::exchange(sweep_queued_, true))
    return;
  operation op;
  op.run = [this](tables& db) -> delivery {
    sweep(db);
    return nullptr;
  };
  op.failed = [this](const error&) -> delivery {
    sweep_queued_ = false; // the next acknowledgement tries again
    return nullptr;
  };
  enqueue(reads_, std::move(op));
}

bool memory_store::is_acknowledged(const memory::outbox_key& key) const {
  auto at = acknowledged_.find({std::get<0>(key), std::get<1>(key)});
  return at != acknowledged_.end() && std::get<2>(key) <= at->second;
}

void memory_store::sweep(tables& db) {
  sweep_queued_ = false;
  for (auto& [pair, upto] : acknowledged_)
    db.outbox.erase(db.outbox.lower_bound({pair.first, pair.second, 0}),
                    db.outbox.upper_bound({pair.first, pair.second, upto}));
  acknowledged_.clear();
}

void memory_store::pending(shard_id shard, std::uint32_t limit,
                           callback<std::vector<entity_ref>> done) {
  using found = std::vector<entity_ref>;
  enqueue_read(read_of<found>(std::move(done), [=, this](tables& db) -> outcome<found> {
    std::map<entity_ref, std::int64_t> since;
    auto note = [&](const entity_ref& entity, std::int64_t at_us) {
      auto [at, fresh] = since.try_emplace(entity, at_us);
      at->second = std::min(at->second, at_us);
    };
    for (auto& [key, message] : db.outbox)
      if (message.shard == shard && !is_acknowledged(key))
        note(std::get<0>(key), message.at_us);
    auto now_us = time_.now_us();
    for (auto& [key, timer] : db.timers)
      if (timer.shard == shard && timer.due_us <= now_us)
        note(key.first, timer.due_us);
    std::set<std::pair<std::int64_t, entity_ref>> by_age;
    for (auto& [entity, at_us] : since)
      by_age.emplace(at_us, entity);
    found out;
    for (auto at = by_age.begin(); at != by_age.end() && out.size() < limit; ++at)
      out.push_back(at->second);
    return out;
  }));
}

void memory_store::park(parked_row row) {
  operation op;
  op.run = [row = std::move(row)](tables& db) mutable -> delivery {
    row.id = ++db.last_parked;
    db.parked[row.id] = row;
    return nullptr;
  };
  op.failed = [](const error&) -> delivery { return nullptr; };
  enqueue_read(std::move(op));
}

void memory_store::parked(std::uint64_t after, std::uint32_t limit,
                          callback<std::vector<parked_row>> done) {
  using found = std::vector<parked_row>;
  enqueue_read(read_of<found>(std::move(done), [=](tables& db) -> outcome<found> {
    found out;
    for (auto at = db.parked.upper_bound(after); at != db.parked.end() && out.size() < limit; ++at)
      out.push_back(at->second);
    return out;
  }));
}

void memory_store::release(const entity_ref& entity, callback<std::uint64_t> done) {
  enqueue_read(read_of<std::uint64_t>(std::move(done), [=](tables& db) -> outcome<std::uint64_t> {
    return std::erase_if(db.parked, [&](auto& row) { return row.second.entity == entity; });
  }));
}

void memory_store::journal(shard_id shard, std::uint64_t after, std::uint32_t limit,
                           callback<std::vector<journal_row>> done) {
  using found = std::vector<journal_row>;
  enqueue_read(read_of<found>(std::move(done), [=](tables& db) -> outcome<found> {
    found out;
    auto at = db.positions.upper_bound({shard, after});
    for (; at != db.positions.end() && at->first.first == shard && out.size() < limit; ++at)
      out.push_back(db.journal.at(at->second));
    return out;
  }));
}

void memory_store::history(const entity_ref& entity, std::uint64_t after, std::uint32_t limit,
                           callback<std::vector<journal_row>> done) {
  using found = std::vector<journal_row>;
  enqueue_read(read_of<found>(std::move(done), [=](tables& db) -> outcome<found> {
    return rows_after(db, entity, after, limit);
  }));
}

void memory_store::heads(callback<std::vector<shard_head>> done) {
  using found = std::vector<shard_head>;
  enqueue_read(read_of<found>(std::move(done), [](tables& db) -> outcome<found> {
    found out;
    for (auto& [shard, row] : db.shards)
      out.push_back({shard, row.epoch, row.head_position, row.head_hash});
    return out;
  }));
}

} // namespace rahat
