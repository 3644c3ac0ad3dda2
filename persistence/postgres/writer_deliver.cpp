// How a writer lands a group of commits: placing, sending, and what each failure class means.
#include "persistence/chain/chain.hpp"
#include "persistence/chain/marks.hpp"
#include "persistence/postgres/session.hpp"
#include "persistence/postgres/writer.hpp"
#include "runtime/telemetry/log.hpp"

#include <algorithm>
#include <bitset>
#include <limits>

namespace rahat::pg {

namespace {

// Waits between tries: doubled up to the longest, half of it by chance, so that nodes that lost one
// server do not come back in step.
constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_pause{1'000};

/// A new connection has to live for that long without the batch that lost two before it: else it is
/// the server, or whoever ends its sessions, and not the batch.
constexpr std::chrono::milliseconds calm{100};

} // namespace

/// Lands the group, in halves where it must be (R6): the guilty commit ends alone.
void writer::deliver(group commits) {
  std::vector<group> waiting; // the last one is next
  waiting.push_back(std::move(commits));
  while (!waiting.empty()) {
    auto now = std::move(waiting.back());
    waiting.pop_back();
    drop_lost(now);
    if (now.empty())
      continue;
    const auto said = attempt(now);
    if (said.what != verdict::refused && said.what != verdict::stopping)
      condition_is_over();
    switch (said.what) {
      case verdict::committed: landed(now); break;
      case verdict::fenced:
        fence(said.shards);
        waiting.push_back(std::move(now)); // without those of the fenced shards: drop_lost
        break;
      case verdict::guilty: divide(now, 2, said.message, waiting); break;
      case verdict::deadly:
        // Not in halves: each further loss may cost a whole server its crash recovery.
        divide(now, now.size(), said.message, waiting);
        break;
      case verdict::refused: refuse_all(now, said.message); break;
      case verdict::stopping:
        waiting.push_back(std::move(now));
        for (auto g = waiting.rbegin(); g != waiting.rend(); ++g)
          for (auto& c : *g)
            refuse(std::move(c), commit_failure::unavailable,
                   "the database is away and the store is stopping");
        return;
    }
  }
}

/// A batch with a commit in it that cannot land: goes on in so many parts, in order. A commit that
/// stands alone is the guilty one.
void writer::divide(group& commits, std::size_t parts, const std::string& why,
                    std::vector<group>& waiting) {
  if (commits.size() == 1) {
    refuse(std::move(commits.front()), commit_failure::rejected, why);
    return;
  }
  how_.probe->batch_split();
  const auto size = commits.size();
  for (auto part = parts; part > 0; --part) { // the last of `waiting` is next
    const auto from = commits.begin() + static_cast<std::ptrdiff_t>(size * (part - 1) / parts);
    waiting.emplace_back(std::make_move_iterator(from), std::make_move_iterator(commits.end()));
    commits.erase(from, commits.end());
  }
}

/// Takes out what can no longer land: its shard was fenced or an earlier commit of it has failed.
void writer::drop_lost(group& commits) {
  group kept;
  kept.reserve(commits.size());
  for (auto& c : commits) {
    const auto* entry = book_.find(c->what.entity);
    if (!heads_.at(c->what.shard).owned)
      refuse(std::move(c), commit_failure::fenced, "another node has taken the shard");
    else if (entry == nullptr || entry->failed)
      refuse(std::move(c), commit_failure::superseded, "an earlier commit of this host failed");
    else
      kept.push_back(std::move(c));
  }
  commits = std::move(kept);
}

void writer::landed(group& commits) {
  for (auto& m : moves_) {
    auto& head = heads_[m.shard];
    head.position = m.position;
    head.hash = m.hash;
  }
  for (std::size_t i = 0; i < commits.size(); ++i)
    commits[i]->landed(placed_[i].position);
}

/// Gives each commit its place: positions and links on top of the heads as committed.
void writer::place(const group& commits) {
  placed_.clear();
  moves_.clear();
  std::array<std::uint16_t, shard_count> move_of;
  std::bitset<shard_count> touched;
  for (auto& c : commits) {
    const auto shard = c->what.shard;
    if (!touched.test(shard)) {
      touched.set(shard);
      move_of[shard] = static_cast<std::uint16_t>(moves_.size());
      const auto& head = heads_[shard];
      moves_.push_back({shard, head.epoch, head.position, head.position, head.hash});
    }
    auto& move = moves_[move_of[shard]];
    ++move.position;
    move.hash = chain::next(move.hash, c->what, move.position, move.epoch);
    placed_.push_back({&c->what, move.position, move.epoch, move.hash});
  }
}

/// Sends the group as one statement, again as long as the failure is not its own.
writer::answer writer::attempt(group& commits) {
  if (!may_try())
    return {verdict::stopping, {}, {}};
  place(commits);
  encoder_.encode(moves_, placed_);
  batch_id_ = batch_id_ == std::numeric_limits<std::int64_t>::max() ? 1 : batch_id_ + 1;
  const auto began = how_.time->steady();
  unsigned losses = 0;
  for (unsigned tries = 0;; ++tries) {
    if (distrusted_.exchange(false))
      link_.close();
    if (!link_.open()) {
      if (auto said = resolve(false))
        return *said;
    }
    failure why;
    try {
      link_.send(batch_id_, encoder_);
      std::size_t rows = 0;
      for (auto& c : commits)
        rows += rows_of(c->what);
      how_.probe->commit_finished(
          std::chrono::duration<double>(how_.time->steady() - began).count(), commits.size(), rows);
      return {};
    } catch (const std::exception& e) {
      why = failure_of(e, link_.open());
    }
    switch (why.what) {
      case failure_class::guilty: return {verdict::guilty, why.message, {}};
      case failure_class::fenced:
        if (why.shards.empty())
          return fence_all(why.message);
        return {verdict::fenced, why.message, why.shards};
      case failure_class::in_doubt: {
        how_.probe->commit_retried();
        log::warning("writer_connection_lost", {{"writer", index_}, {"error", why.message}});
        if (auto said = resolve(true))
          return *said;
        if (++losses >= limits::batch_losses)
          return deadly(commits, why.message);
        if (losses < limits::batch_losses - 1)
          break;
        if (!wait(calm))
          return {verdict::stopping, why.message, {}};
        if (!link_.answers())
          losses = 0;
        break;
      }
      case failure_class::again:
        how_.probe->commit_retried();
        if (is_given_up(why))
          return {verdict::refused, why.state, {}};
        log::warning("commit_sent_again",
                     {{"writer", index_}, {"sqlstate", why.state}, {"error", why.message}});
        if (!pause(tries))
          return {verdict::stopping, why.message, {}};
        break;
    }
  }
}

/// Connects again, for as long as it takes, and finds out what became of the batch (R7). Nothing
/// says: it has not landed and never will, send it (again).
std::optional<writer::answer> writer::resolve(bool in_doubt) {
  for (unsigned tries = 0;; ++tries) {
    try {
      link_.connect();
      how_.probe->connected(true);
      if (!in_doubt)
        return std::nullopt;
      const bool yes = link_.has_landed(batch_id_, moves_.front());
      how_.probe->unknown_outcome_resolved(yes);
      if (yes)
        return answer{};
      return std::nullopt;
    } catch (const other_generation& e) {
      return fence_all(e.what());
    } catch (const std::exception& e) {
      how_.probe->connect_failed();
      log::warning("writer_cannot_connect", {{"writer", index_}, {"error", e.what()}});
      if (!pause(tries))
        return answer{verdict::stopping, e.what(), {}};
    }
  }
}

/// The server takes connections, and loses each one that is given this batch.
writer::answer writer::deadly(const group& commits, const std::string& message) {
  log::error("batch_ends_connections", {{"writer", index_},
                                        {"commits", commits.size()},
                                        {"entity", commits.front()->what.entity.str()},
                                        {"error", message}});
  return {verdict::deadly,
          "Postgres ended the connection " + std::to_string(limits::batch_losses) +
              " times while it stored this: " + message,
          {}};
}

writer::answer writer::fence_all(const std::string& message) {
  answer said{verdict::fenced, message, {}};
  for (shard_id s = 0; s < shard_count; ++s)
    if (heads_[s].owned)
      said.shards.push_back(s);
  return said;
}

void writer::fence(const std::vector<shard_id>& shards) {
  std::map<shard_id, std::int64_t> lost;
  for (auto s : shards) {
    if (s < shard_count && heads_[s].owned) {
      heads_[s].owned = false;
      lost[s] = static_cast<std::int64_t>(heads_[s].epoch);
    }
  }
  if (lost.empty())
    return;
  log::error("shards_fenced",
             {{"writer", index_}, {"shards", lost.size()}, {"first", lost.begin()->first}});
  fenced_(std::move(lost));
}

/// Waits before another try; false when the writer is to stop and its patience has ended.
bool writer::pause(unsigned tries) {
  const auto most = std::min(longest_pause, first_pause * (1u << std::min(tries, 10u)));
  const auto half = most.count() / 2;
  return wait(std::chrono::milliseconds{
      half +
      static_cast<std::int64_t>(how_.chance->number() % static_cast<std::uint64_t>(half + 1))});
}

bool writer::wait(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  if (!stopping_)
    mail_.wait_for(lock, time, [this] { return stopping_; });
  else if (how_.time->steady() < stop_by_)
    mail_.wait_until(lock, std::min(stop_by_, how_.time->steady() + time), [] { return false; });
  return !stopping_ || how_.time->steady() < stop_by_;
}

std::string writer::fault_of(const commit& c) const {
  constexpr auto most = static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max());
  for (auto& list : c.lines)
    for (auto& row : list.rows)
      if (row.no > most)
        return "a line's number is beyond 2^31";
  for (auto& p : c.payments)
    if (p.first > p.last || p.last > most)
      return "a payment's line numbers are no range";
  for (auto& chunk : c.staged)
    for (auto& row : chunk.rows)
      if (row.ordinal > most || row.row > most)
        return "a staged row's number is beyond 2^31";
  for (auto& t : c.transfers)
    if (t.currency.size() != 3) // char(3) would pad a shorter one
      return "a transfer's currency has not three letters";
  return chain::marks_fault(c);
}

} // namespace rahat::pg
