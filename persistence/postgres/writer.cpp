#include "persistence/postgres/writer.hpp"

#include "persistence/chain/chain.hpp"

namespace rahat::pg {

namespace {

/// How long a round may wait for company, and for how much of it.
constexpr std::chrono::microseconds linger{100};
constexpr std::size_t longest_wanted = 64;

} // namespace

writer::writer(const store_options& how, unsigned index, load_reader read, fenced_listener fenced)
    : how_(how),
      index_(index),
      read_(std::move(read)),
      fenced_(std::move(fenced)),
      bounds_{how.batch_rows, how.batch_bytes, limits::batch_payments},
      link_(how, index),
      book_(limits::known_entities) {
  // Batch ids: unique for each writer's life, so that a former one's can never be taken for ours.
  batch_id_ = static_cast<std::int64_t>(how_.chance->number() & ~std::uint64_t{0} >> 1);
}

writer::~writer() {
  stop();
}

void writer::start() {
  link_.connect();
  how_.probe->connected(true);
  thread_.start([this] { live(false); });
}

void writer::stop() {
  {
    std::lock_guard lock{mutex_};
    if (!stopping_)
      stop_by_ = how_.time->steady() + how_.stop_patience;
    stopping_ = true;
  }
  mail_.notify_all();
  thread_.join();
}

std::int64_t writer::credit() const {
  return how_.writer_bytes - queued_bytes_.load(std::memory_order_relaxed);
}

void writer::adopt(const std::vector<owned_shard>& shards) {
  for (auto& s : shards)
    post(s);
}

void writer::give_up(shard_id shard, std::uint64_t epoch, grant_callback done) {
  post(farewell{shard, epoch, std::move(done)});
}

void writer::push(commit c, std::shared_ptr<commit_listener> listener) {
  auto item = std::make_unique<queued_commit>();
  item->bytes = c.bytes();
  item->what = std::move(c);
  item->listener = std::move(listener);
  item->charged = &queued_bytes_;
  queued_bytes_.fetch_add(static_cast<std::int64_t>(item->bytes), std::memory_order_relaxed);
  post(std::move(item));
}

void writer::push(std::unique_ptr<queued_load> load) {
  post(std::move(load));
}

void writer::learned(const entity_ref& entity, std::uint64_t incarnation, std::uint64_t seq) {
  post(lesson{entity, incarnation, seq});
}

void writer::post(letter mail) {
  {
    std::lock_guard lock{mutex_};
    if (!closed_ || std::holds_alternative<owned_shard>(mail)) { // those wait for a new thread
      inbox_.push_back(std::move(mail));
      if (inbox_.size() == wake_at_) // later ones find it awake or about to be
        mail_.notify_one();
      return;
    }
  }
  if (auto* c = std::get_if<commit_ptr>(&mail))
    tell_refusal(std::move(*c), commit_failure::unavailable, "the store has stopped");
  else if (auto* l = std::get_if<std::unique_ptr<queued_load>>(&mail))
    (*l)->answer(error{errc::unavailable, "the store has stopped: try again", {}});
  else if (auto* f = std::get_if<farewell>(&mail))
    f->done(error{errc::unavailable, "the store has stopped", {}});
}

void writer::run() {
  while (wait_for_mail()) {
    give_up_what_is_done();
    while (!queue_.empty() && !out_of_patience()) {
      gather();
      round();
      collect_mail();
      give_up_what_is_done();
    }
  }
  refuse_everything();
}

void writer::collect_mail() {
  std::vector<letter> mail;
  {
    std::lock_guard lock{mutex_};
    mail.swap(inbox_);
  }
  for (auto& m : mail)
    file(m);
}

/// Group commit: those whom the last round answered come back in a moment. Waits for about as many
/// as that round had, a moment at most: larger batches when many are in flight, nothing when one
/// is.
void writer::gather() {
  if (last_round_ < 2 || queue_.commits() >= last_round_)
    return;
  std::vector<letter> mail;
  {
    std::unique_lock lock{mutex_};
    const auto wanted = last_round_ - queue_.commits();
    if (inbox_.size() < wanted && !stopping_) {
      wake_at_ = wanted;
      mail_.wait_for(lock, linger, [&] { return stopping_ || inbox_.size() >= wanted; });
      wake_at_ = 1;
    }
    mail.swap(inbox_);
  }
  for (auto& m : mail)
    file(m);
}

bool writer::out_of_patience() {
  std::lock_guard lock{mutex_};
  return stopping_ && how_.time->steady() >= stop_by_;
}

/// Files what has come; false once the writer is to stop and nothing is left or time is up.
bool writer::wait_for_mail() {
  std::vector<letter> mail;
  bool go_on = true;
  {
    std::unique_lock lock{mutex_};
    mail_.wait(lock, [this] { return stopping_ || !inbox_.empty(); });
    mail.swap(inbox_);
    if (stopping_ && (mail.empty() || how_.time->steady() >= stop_by_)) {
      closed_ = true;
      go_on = false;
    }
  }
  for (auto& m : mail)
    file(m);
  return go_on;
}

/// The end: what is still queued waited for a database that did not come back in time.
void writer::refuse_everything() {
  while (!queue_.empty()) {
    auto rest = queue_.take(bounds_);
    for (auto& c : rest.commits)
      refuse(std::move(c), commit_failure::unavailable, "the store is stopping");
    for (auto& l : rest.loads)
      l->answer(error{errc::unavailable, "the store is stopping: try again", {}});
  }
  for (auto& f : std::exchange(leaving_, {}))
    f.done(error{errc::unavailable, "the store is stopping", {}});
}

/// Shards that are to leave do so behind the last commit of theirs, in doubt or not: what comes
/// later is refused as fenced.
void writer::give_up_what_is_done() {
  for (auto& f : std::exchange(leaving_, {})) {
    auto& head = heads_.at(f.shard);
    if (!head.owned || head.epoch != f.epoch) {
      f.done(error{errc::moved, "another node has taken the shard", {}});
    } else if (queue_.holds(f.shard)) {
      leaving_.push_back(std::move(f));
    } else {
      head.owned = false;
      f.done(shard_grant{f.shard, static_cast<std::int64_t>(head.epoch),
                         static_cast<std::int64_t>(head.position), std::string{view(head.hash)}});
    }
  }
}

void writer::file(letter& mail) {
  if (auto* c = std::get_if<commit_ptr>(&mail)) {
    queue_.push(std::move(*c));
  } else if (auto* l = std::get_if<std::unique_ptr<queued_load>>(&mail)) {
    queue_.push(std::move(*l));
  } else if (auto* s = std::get_if<owned_shard>(&mail)) {
    heads_.at(s->shard) = {true, s->epoch, s->head_position, chain::to_digest(s->head_hash)};
  } else if (auto* f = std::get_if<farewell>(&mail)) {
    leaving_.push_back(std::move(*f));
  } else {
    const auto& read = std::get<lesson>(mail);
    auto* entry = book_.find(read.entity);
    if (entry != nullptr && entry->incarnation == read.incarnation && !entry->known) {
      entry->seq = read.seq;
      entry->known = true;
    }
  }
}

void writer::round() {
  auto next = queue_.take(bounds_);
  last_round_ = std::min(next.commits.size(), longest_wanted);
  how_.probe->writer_queue(index_, queue_.commits() + next.commits.size(),
                           queued_bytes_.load(std::memory_order_relaxed));
  for (auto& load : next.loads) {
    // The barrier: all former commits of the entity are resolved, later ones of former hosts are
    // refused by the incarnation.
    const auto& head = heads_[shard_of(load->entity)];
    if (!head.owned) {
      load->answer(error{errc::unavailable, "this node does not own the entity's shard", {}});
      continue;
    }
    book_.at(load->entity) = {load->incarnation, head.epoch, 0, false, false};
    read_(std::move(load));
  }
  if (next.commits.empty())
    return;
  group going;
  going.reserve(next.commits.size());
  for (auto& c : next.commits) {
    if (may_go(*c)) {
      if (const auto fault = fault_of(c->what); fault.empty())
        going.push_back(std::move(c));
      else
        refuse(std::move(c), commit_failure::rejected, fault);
      continue;
    }
    const auto why = reason_not_to_go(*c);
    refuse(std::move(c), why,
           why == commit_failure::fenced
               ? "this node does not own the shard"
               : "an earlier commit of this host failed, or this is not the next one");
  }
  if (going.empty())
    return;
  if (how_.before_batch)
    how_.before_batch(index_);
  deliver(std::move(going));
}

/// Whether the commit is the next one of its entity's present host, in a shard that we own. Takes
/// its seq; a commit out of order ends its host's line.
bool writer::may_go(const queued_commit& c) {
  const auto& head = heads_.at(c.what.shard);
  if (!head.owned)
    return false;
  auto* entry = book_.find(c.what.entity);
  if (entry == nullptr || !entry->known || entry->failed ||
      entry->incarnation != c.what.incarnation || entry->epoch != head.epoch)
    return false; // forgotten, never loaded, of a former host or epoch: it has to load (again)
  if (c.what.seq != entry->seq + 1) {
    entry->failed = true;
    return false;
  }
  entry->seq = c.what.seq;
  return true;
}

commit_failure writer::reason_not_to_go(const queued_commit& c) const {
  return heads_.at(c.what.shard).owned ? commit_failure::superseded : commit_failure::fenced;
}

/// The listener hears of it and no later commit of that host incarnation may land.
void writer::refuse(commit_ptr c, commit_failure why, const std::string& message) {
  auto* entry = book_.find(c->what.entity);
  if (entry != nullptr && entry->incarnation == c->what.incarnation)
    entry->failed = true;
  tell_refusal(std::move(c), why, message);
}

void writer::tell_refusal(commit_ptr c, commit_failure why, const std::string& message) {
  switch (why) {
    case commit_failure::rejected: how_.probe->commit_rejected(); break;
    case commit_failure::superseded: how_.probe->commit_superseded(); break;
    case commit_failure::fenced: how_.probe->commit_fenced(1); break;
    case commit_failure::unavailable: break;
  }
  c->failed({why, message});
}

} // namespace rahat::pg
