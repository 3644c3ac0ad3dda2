#include "persistence/memory/memory_store.hpp"

#include <stdexcept>
#include <utility>

namespace rahat {

using memory::tables;

memory_store::memory_store(std::shared_ptr<memory_database> rows, memory_options options)
    : rows_(std::move(rows)),
      options_(options),
      own_clock_(options.time ? nullptr : std::make_unique<system_clock_port>()),
      time_(options.time ? *options.time : *own_clock_),
      writers_(options.writers) {
  if (options_.writers == 0 || options_.batch_commits == 0 || options_.attempts == 0 ||
      options_.losses == 0)
    throw std::invalid_argument("a store needs a writer, a batch of one and one attempt at least");
  rows_->with([&](tables& db) {
    owner_ = ++db.last_owner;
    generation_ = db.shards.at(0).generation;
  });
  if (options_.take_all_shards)
    for (shard_id shard = 0; shard < shard_count; ++shard)
      take_locked(shard);
  if (options_.mode == memory_options::drive::threaded)
    thread_ = std::thread([this] { work(); });
}

memory_store::~memory_store() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable())
    thread_.join();
  std::unique_lock guard(mutex_);
  for (auto& w : writers_) {
    for (; !w.sending.empty(); w.sending.pop_front())
      for (auto& q : w.sending.front().commits)
        settle(w, q, commit_refusal{commit_failure::unavailable, "the store is stopping"});
    for (; !w.queue.empty(); w.queue.pop_front()) {
      if (auto* q = std::get_if<queued_commit>(&w.queue.front().what))
        settle(w, *q, commit_refusal{commit_failure::unavailable, "the store is stopping"});
      else
        deliver(std::get<operation>(w.queue.front().what)
                    .failed({errc::unavailable, "the store is stopping", {}}));
    }
  }
  for (; !reads_.empty(); reads_.pop_front())
    deliver(std::get<operation>(reads_.front().what)
                .failed({errc::unavailable, "the store is stopping", {}}));
  crashed_ = true; // callbacks of the last round get no answer any more
  auto last_round = std::exchange(deliveries_, {});
  guard.unlock();
  for (auto& call : last_round)
    call();
}

void memory_store::write(commit c, std::shared_ptr<commit_listener> listener) {
  std::lock_guard guard(mutex_);
  if (crashed_)
    return;
  auto& w = writers_[writer_of(c.shard)];
  queued_commit q{std::move(c), std::move(listener), 0};
  q.bytes = static_cast<std::int64_t>(q.what.bytes());
  w.bytes += q.bytes;
  enqueue(w.queue, std::move(q));
}

std::int64_t memory_store::writer_credit(shard_id shard) const {
  std::lock_guard guard(mutex_);
  return writer_bytes - writers_[writer_of(shard)].bytes;
}

void memory_store::on_fenced(std::function<void(std::vector<shard_id>)> listener) {
  std::lock_guard guard(mutex_);
  on_fenced_ = std::move(listener);
}

void memory_store::take_over(shard_id shard) {
  std::lock_guard guard(mutex_);
  take_locked(shard);
}

void memory_store::take_locked(shard_id shard) {
  rows_->with([&](tables& db) {
    auto& row = db.shards.at(shard);
    row.owner = owner_;
    ++row.epoch;
    generation_ = row.generation;
    hold(shard, {row.epoch, row.head_position, row.head_hash});
  });
}

/// Hosts of a former epoch write no more: they load anew.
void memory_store::hold(shard_id shard, held_shard as) {
  held_[shard] = std::move(as);
  std::erase_if(lanes_, [&](auto& lane) { return lane.second.shard == shard; });
}

void memory_store::adopt(const shard_grant& shard) {
  std::lock_guard guard(mutex_);
  hold(shard.shard, {static_cast<std::uint64_t>(shard.epoch),
                     static_cast<std::uint64_t>(shard.head_position), shard.head_hash});
}

/// Its turn comes when everything that was queued before it is settled.
void memory_store::give_up(shard_id shard, std::int64_t epoch,
                           std::function<void(std::variant<shard_grant, error>)> done) {
  auto op = read_of<shard_grant>(std::move(done), [=, this](tables& db) {
    return give_up_now(db, shard, static_cast<std::uint64_t>(epoch));
  });
  std::lock_guard guard(mutex_);
  if (!crashed_)
    enqueue(writers_[writer_of(shard)].queue, std::move(op));
}

std::variant<shard_grant, error> memory_store::give_up_now(tables& db, shard_id shard,
                                                           std::uint64_t epoch) {
  auto& w = writers_[writer_of(shard)];
  if (w.reread_heads)
    reread_heads(w, db);
  auto held = held_.find(shard);
  if (held == held_.end() || held->second.epoch != epoch)
    return error{errc::moved, "another owner has taken the shard", {}};
  shard_grant out{shard, static_cast<std::int64_t>(held->second.epoch),
                  static_cast<std::int64_t>(held->second.position), held->second.hash};
  held_.erase(held);
  return out;
}

// ---- queues ---------------------------------------------------------------------------------

void memory_store::enqueue(std::deque<ticketed>& queue,
                           std::variant<queued_commit, operation> what) {
  queue.push_back({next_ticket_++, std::move(what)});
  wake_.notify_all();
}

void memory_store::enqueue_read(operation op) {
  std::lock_guard guard(mutex_);
  if (!crashed_)
    enqueue(reads_, std::move(op));
}

void memory_store::enqueue_query(operation op) {
  std::lock_guard guard(mutex_);
  if (crashed_)
    return;
  if (reads_.size() < waiting_reads)
    enqueue(reads_, std::move(op));
  else
    deliver(op.failed({errc::overloaded, "too many reads are waiting: try again in a second", {}}));
}

void memory_store::deliver(delivery d) {
  deliveries_.push_back(std::move(d));
  wake_.notify_all();
}

/// False when it stays in its queue, to be tried again.
bool memory_store::run_operation(operation& op) {
  if (!faults_.take_down()) {
    if (auto said = rows_->with([&](tables& db) { return op.run(db); }))
      deliver(std::move(said));
    return true;
  }
  if (++op.attempts < options_.attempts)
    return false;
  if (auto said = op.failed({errc::unavailable, "the server cannot be reached: try again", {}}))
    deliver(std::move(said));
  return true;
}

// ---- the drive ------------------------------------------------------------------------------

bool memory_store::run_one() {
  std::unique_lock guard(mutex_);
  return step(guard);
}

std::size_t memory_store::run_all() {
  std::size_t steps = 0;
  while (run_one())
    ++steps;
  return steps;
}

/// Makes one callback, or else one operation: the oldest over all queues.
bool memory_store::step(std::unique_lock<std::mutex>& guard) {
  if (!deliveries_.empty()) {
    auto call = std::move(deliveries_.front());
    deliveries_.pop_front();
    calling_ = true;
    guard.unlock();
    call();
    call = nullptr; // a listener's destructor may call the twin as well
    guard.lock();
    calling_ = false;
    return true;
  }
  writer* oldest = nullptr;
  auto ticket = reads_.empty() ? next_ticket_ : reads_.front().ticket;
  for (auto& w : writers_) {
    if (!w.sending.empty()) {
      oldest = &w; // what is out is finished first
      break;
    }
    if (!w.queue.empty() && w.queue.front().ticket < ticket) {
      ticket = w.queue.front().ticket;
      oldest = &w;
    }
  }
  if (oldest == nullptr && reads_.empty())
    return false;
  if (delayed(guard))
    return true;
  if (oldest != nullptr)
    step_writer(*oldest);
  else if (run_operation(std::get<operation>(reads_.front().what)))
    reads_.pop_front();
  delay_served_ = false;
  return true;
}

/// True when this step was spent on being slow.
bool memory_store::delayed(std::unique_lock<std::mutex>& guard) {
  if (delay_served_) {
    if (steps_to_wait_ == 0)
      return false;
    --steps_to_wait_;
    return steps_to_wait_ > 0;
  }
  auto [steps, delay] = faults_.delay();
  delay_served_ = true;
  if (options_.mode == memory_options::drive::threaded) {
    if (delay.count() > 0)
      wake_.wait_for(guard, delay, [&] { return stopping_; });
    return delay.count() > 0; // the queues may have changed meanwhile
  }
  steps_to_wait_ = steps;
  return steps > 0;
}

void memory_store::work() {
  std::unique_lock guard(mutex_);
  while (!stopping_)
    if (!step(guard))
      wake_.wait(guard, [&] { return stopping_ || !idle_locked(); });
}

bool memory_store::idle() const {
  std::lock_guard guard(mutex_);
  return idle_locked();
}

bool memory_store::idle_locked() const {
  for (auto& w : writers_)
    if (!w.queue.empty() || !w.sending.empty())
      return false;
  return reads_.empty() && deliveries_.empty() && !calling_;
}

void memory_store::crash() {
  std::unique_lock guard(mutex_);
  crashed_ = true;
  auto writers = std::exchange(writers_, std::vector<writer>(options_.writers));
  auto reads = std::exchange(reads_, {});
  auto deliveries = std::exchange(deliveries_, {});
  guard.unlock(); // what they own is destroyed without the lock
}

std::uint64_t memory_store::snapshot_failures() const {
  std::lock_guard guard(mutex_);
  return snapshot_failures_;
}

} // namespace rahat
