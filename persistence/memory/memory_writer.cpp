#include "persistence/memory/memory_store.hpp"

#include "persistence/chain/chain.hpp"
#include "persistence/chain/marks.hpp"
#include "persistence/memory/undo_log.hpp"

#include <algorithm>

/// The writer of the twin: what makes commits land once, in order, and fenced. Everything here
/// runs under the twin's lock, in one step of its drive.
namespace rahat {

using memory::tables;

namespace {

commit_refusal superseded(std::string message) {
  return {commit_failure::superseded, std::move(message)};
}

} // namespace

void memory_store::step_writer(writer& w) {
  if (w.sending.empty()) {
    if (auto* barrier = std::get_if<operation>(&w.queue.front().what)) {
      if (run_operation(*barrier))
        w.queue.pop_front();
      return;
    }
    form_batch(w);
    return;
  }
  drop_superseded(w, w.sending.front());
  if (w.sending.front().commits.empty())
    w.sending.pop_front();
  else if (w.sending.front().unknown)
    resolve(w);
  else
    send(w);
}

/// Takes what has queued up, until a barrier or the bound.
void memory_store::form_batch(writer& w) {
  batch b;
  while (!w.queue.empty() && b.commits.size() < options_.batch_commits) {
    auto* q = std::get_if<queued_commit>(&w.queue.front().what);
    if (q == nullptr)
      break;
    auto refusal = refuse(q->what);
    if (refusal) {
      settle(w, *q, std::move(refusal));
    } else {
      ++lanes_.at(q->what.entity).queued_seq;
      b.commits.push_back(std::move(*q));
    }
    w.queue.pop_front();
  }
  if (!b.commits.empty())
    w.sending.push_back(std::move(b));
}

/// Why a commit may not even be sent: the journal never gets a hole, and a host that is gone
/// writes no more (R2).
std::optional<commit_refusal> memory_store::refuse(const commit& c) const {
  auto lane = lanes_.find(c.entity);
  if (!held_.contains(c.shard))
    return commit_refusal{commit_failure::fenced, "another owner has the shard"};
  if (lane == lanes_.end() || lane->second.incarnation != c.incarnation)
    return superseded("the entity was loaded by another incarnation of its host");
  if (lane->second.failed)
    return superseded("an earlier commit of this incarnation has failed");
  if (c.seq != lane->second.queued_seq + 1)
    return superseded("the next seq of the entity is " +
                      std::to_string(lane->second.queued_seq + 1));
  if (auto fault = chain::marks_fault(c); !fault.empty())
    return commit_refusal{commit_failure::rejected, std::move(fault)};
  return std::nullopt;
}

/// After a part of a batch has failed, the same entities' later commits in the other parts.
void memory_store::drop_superseded(writer& w, batch& b) {
  if (b.unknown)
    return; // they may have landed: that comes first
  std::erase_if(b.commits, [&](queued_commit& q) {
    auto lane = lanes_.find(q.what.entity);
    if (lane != lanes_.end() && lane->second.incarnation == q.what.incarnation &&
        !lane->second.failed)
      return false;
    settle(w, q, superseded("an earlier commit of this incarnation has failed"));
    return true;
  });
}

/// Places the commits behind their shards' heads and chains them.
memory::statement memory_store::prepare(batch& b) {
  memory::statement s{generation_, b.commit_id, {}, {}};
  for (auto& q : b.commits) {
    auto& c = q.what;
    auto& held = held_.at(c.shard);
    auto& head = s.heads
                     .try_emplace(c.shard, memory::head_move{held.epoch, held.position,
                                                             held.position, held.hash})
                     .first->second;
    auto hash = chain::next(chain::to_digest(head.hash), c, ++head.position, head.epoch);
    head.hash = view(hash);
    s.commits.push_back({&c, head.position, head.hash});
  }
  b.heads = s.heads;
  return s;
}

void memory_store::send(writer& w) {
  auto& b = w.sending.front();
  if (faults_.take_down())
    return try_again(w, "the server cannot be reached");
  if (w.reread_heads)
    rows_->with([&](tables& db) { reread_heads(w, db); });
  auto lost = std::find_if(b.commits.begin(), b.commits.end(),
                           [&](queued_commit& q) { return !held_.contains(q.what.shard); });
  if (lost != b.commits.end())
    return fenced(w, {lost->what.shard});
  if (b.commit_id == 0)
    b.commit_id = rows_->with([](tables& db) { return ++db.last_commit_id; });
  switch (auto fault = faults_.take_batch_fault()) {
    case fault_plan::batch_fault::deadlock:
    case fault_plan::batch_fault::serialisation:
      return try_again(w, "deadlock or serialisation failure");
    case fault_plan::batch_fault::fail_before_commit:
      prepare(b);
      b.unknown = true;
      return;
    default:
      if (execute(w, fault))
        landed(w);
  }
}

/// True if the writer heard that the batch has landed.
bool memory_store::execute(writer& w, fault_plan::batch_fault fault) {
  auto& b = w.sending.front();
  auto statement = prepare(b);
  take_due_fences(b);
  std::set<entity_ref> entities;
  for (auto& q : b.commits)
    entities.insert(q.what.entity);
  if (faults_.take_deadly(entities)) {
    b.unknown = true;
    return false;
  }
  try {
    if (faults_.take_poison(entities))
      throw row_error("a row cannot be stored");
    rows_->with([&](tables& db) { memory::execute(db, statement); });
  } catch (const memory::fenced_error& e) {
    fenced(w, e.shards);
    return false;
  } catch (const row_error& e) {
    split(w, e.what(), 2);
    return false;
  }
  b.unknown = fault == fault_plan::batch_fault::lose_reply;
  return !b.unknown;
}

void memory_store::take_due_fences(const batch& b) {
  std::set<shard_id> touched;
  for (auto& [shard, move] : b.heads)
    touched.insert(shard);
  for (auto shard : faults_.take_fences(touched))
    rows_->fence(shard);
}

/// Finds out what became of a batch whose reply was lost: a head names the last batch that moved
/// it, and nobody but this writer moves it under this epoch (R7).
void memory_store::resolve(writer& w) {
  auto& b = w.sending.front();
  if (faults_.take_down())
    return try_again(w, "the server cannot be reached");
  auto shard = b.heads.begin()->first;
  bool committed =
      rows_->with([&](tables& db) { return db.shards.at(shard).commit_id == b.commit_id; });
  b.unknown = false;
  if (committed)
    landed(w);
  else if (++b.losses == options_.losses)
    split(w, "the connection was lost each time that this was stored", b.commits.size());
  else
    try_again(w, "the connection was lost before the commit");
}

/// Hosts notice nothing of it, unless it happens too often.
void memory_store::try_again(writer& w, std::string why) {
  if (++w.sending.front().attempts >= options_.attempts)
    abandon(w, why);
}

void memory_store::abandon(writer& w, const std::string& why) {
  auto& b = w.sending.front();
  w.reread_heads = w.reread_heads || b.unknown;
  for (auto& q : b.commits)
    settle(w, q, commit_refusal{commit_failure::unavailable, why});
  w.sending.pop_front();
}

/// A batch that was given up with its outcome unknown may have moved heads: under an epoch of our
/// own it was us.
void memory_store::reread_heads(writer& w, tables& db) {
  for (auto& [shard, held] : held_) {
    auto& row = db.shards.at(shard);
    if (row.epoch == held.epoch && row.generation == generation_)
      held = {row.epoch, row.head_position, row.head_hash};
  }
  w.reread_heads = false;
}

void memory_store::landed(writer& w) {
  auto& b = w.sending.front();
  std::map<shard_id, std::uint64_t> position;
  for (auto& [shard, move] : b.heads) {
    position[shard] = move.expected;
    auto held = held_.find(shard);
    if (held != held_.end() && held->second.epoch == move.epoch)
      held->second = {move.epoch, move.position, move.hash};
  }
  for (auto& q : b.commits) {
    faults_.landed(q.what.shard);
    settle(w, q, std::nullopt, ++position.at(q.what.shard));
  }
  w.sending.pop_front();
}

/// Only the commits of these shards fail; the others of the batch are sent again.
void memory_store::fenced(writer& w, std::vector<shard_id> shards) {
  auto& b = w.sending.front();
  b.commit_id = 0;
  std::erase_if(b.commits, [&](queued_commit& q) {
    if (std::find(shards.begin(), shards.end(), q.what.shard) == shards.end())
      return false;
    settle(w, q, commit_refusal{commit_failure::fenced, "another owner has taken the shard"});
    return true;
  });
  for (auto shard : shards)
    held_.erase(shard);
  if (on_fenced_)
    deliver([listener = on_fenced_, shards = std::move(shards)] { listener(shards); });
}

/// Divides a batch in which some row is at fault, until the guilty commit stands alone (R6).
void memory_store::split(writer& w, const std::string& why, std::size_t parts) {
  auto b = std::move(w.sending.front());
  w.sending.pop_front();
  const auto size = b.commits.size();
  if (size == 1) {
    settle(w, b.commits.front(), commit_refusal{commit_failure::rejected, why});
    return;
  }
  for (auto part = parts; part > 0; --part) {
    const auto from = b.commits.begin() + static_cast<std::ptrdiff_t>(size * (part - 1) / parts);
    batch next;
    std::move(from, b.commits.end(), std::back_inserter(next.commits));
    b.commits.erase(from, b.commits.end());
    w.sending.push_front(std::move(next));
  }
}

/// The one place where a listener hears of its commit.
void memory_store::settle(writer& w, queued_commit& q, std::optional<commit_refusal> refusal,
                          std::uint64_t position) {
  w.bytes -= q.bytes;
  auto seq = q.what.seq;
  if (!refusal) {
    deliver([l = std::move(q.listener), seq, position] { l->committed(seq, position); });
    return;
  }
  auto lane = lanes_.find(q.what.entity);
  if (lane != lanes_.end() && lane->second.incarnation == q.what.incarnation)
    lane->second.failed = true;
  deliver([l = std::move(q.listener), seq, why = std::move(*refusal)] { l->failed(seq, why); });
}

} // namespace rahat
