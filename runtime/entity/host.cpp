#include "runtime/entity/host.hpp"

#include "runtime/decider/account.hpp"
#include "runtime/entity/answers.hpp"
#include "runtime/entity/host_cause.hpp"

#include <algorithm>

namespace rahat {

namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

// -- commit_inbox -----------------------------------------------------------------

void commit_inbox::committed(std::uint64_t seq, std::uint64_t position) {
  std::unique_lock lock{mutex_};
  waiting().committed.emplace_back(seq, position);
  notify(lock);
}

void commit_inbox::failed(std::uint64_t seq, const commit_refusal& why) {
  std::unique_lock lock{mutex_};
  if (!waiting().failure) { // the first one tells the reason; its successors are superseded
    waiting().failure = why;
    waiting().failed_seq = seq;
  }
  notify(lock);
}

commit_inbox::outcomes& commit_inbox::waiting() {
  if (!waiting_)
    waiting_ = std::make_unique<outcomes>();
  return *waiting_;
}

void commit_inbox::notify(std::unique_lock<std::mutex>& lock) {
  if (std::exchange(notified_, true))
    return;
  lock.unlock();
  post_(mail_commits{});
}

commit_inbox::outcomes commit_inbox::take() {
  std::unique_lock lock{mutex_};
  notified_ = false;
  auto taken = std::exchange(waiting_, nullptr);
  return taken ? std::move(*taken) : outcomes{};
}

// -- host: life ---------------------------------------------------------------------

host::host(environment env, const kind& k, entity_ref self, std::uint64_t incarnation, poster post)
    : env_(env),
      kind_(k),
      self_(std::move(self)),
      shard_(shard_of(self_)),
      incarnation_(incarnation),
      post_(std::move(post)),
      inbox_(std::make_shared<commit_inbox>(post_)),
      model_(k.create()),
      requests_(env.limits.request_ring),
      outbox_(env.limits),
      started_(env.time.steady()),
      last_used_(started_) {
  env_.probe.host_started(kind_.name());
}

host::~host() {
  if (phase_ != phase::ended)
    end(errc::unavailable, "the node is stopping");
  env_.probe.host_stopped(kind_.name());
}

void host::start() {
  env_.db.load(self_, incarnation_, kind_.evolve_version(),
               [post = post_](outcome<loaded_entity> what) { post(mail_loaded{std::move(what)}); });
}

void host::on_loaded(mail_loaded m) {
  if (auto* failure = std::get_if<error>(&m.what)) {
    fail(false, "the entity could not be read: " + failure->message, {});
    return;
  }
  auto& loaded = std::get<loaded_entity>(m.what);
  try {
    if (!loaded.snapshot.empty()) {
      wire::Snapshot snapshot;
      must_hold(snapshot.ParseFromString(loaded.snapshot), "a snapshot is unreadable");
      model_->load(snapshot.state());
      requests_.load(snapshot);
      outbox_.load(snapshot);
      for (auto& mark : snapshot.inbox())
        heard_[ref_of(mark.source())] = mark.n();
      for (auto& mark : snapshot.timers())
        timers_[mark.name()] = mark.due_us();
      seq_ = loaded.snapshot_seq;
      snapshot_bytes_ = loaded.snapshot.size();
    }
    for (auto& row : loaded.tail) {
      must_hold(row.seq == seq_ + 1, "the journal of an entity has a gap");
      wire::Commit payload;
      must_hold(payload.ParseFromString(row.payload), "a journal row is unreadable");
      if (!env_.levels.can_read(payload.level()))
        return leave_to_newer("its commit " + std::to_string(row.seq) + " was " +
                              env_.levels.refusal(payload.level()));
      replay(payload);
      seq_ = row.seq;
      tail_bytes_ += row.payload.size();
    }
  } catch (const std::exception& e) {
    fail(true, std::string{"the entity cannot be rebuilt: "} + e.what(), {});
    return;
  }
  committed_ = seq_;
  position_ = loaded.position;
  phase_ = phase::running;
  auto now = env_.time.steady();
  env_.probe.host_recovered(kind_.name(), seconds(now - started_));
  for (auto& row : loaded.outbox) {
    outbox_.number_was_given(row.target, row.n);
    outbox_.committed(row, now, [this](auto& target, auto n, auto& body) {
      env_.out.tell(self_, target, n, body);
    });
  }
  work_due_ = model_->has_work();
  drain();
}

void host::replay(const wire::Commit& payload) {
  for (auto& event : payload.events())
    model_->evolve(event);
  if (payload.has_request()) {
    auto& r = payload.request();
    requests_.remember({uuid::from_raw(r.id()), r.payload_hash(), r.at_us(), r.pending()});
  }
  for (auto& id : payload.answered())
    requests_.answered(uuid::from_raw(id));
  if (payload.has_inbox())
    heard_[ref_of(payload.inbox().source())] = payload.inbox().n();
  for (auto& mark : payload.outbox())
    outbox_.number_was_given(ref_of(mark.target()), mark.n());
  for (auto& mark : payload.timers()) {
    if (mark.due_us() == 0)
      timers_.erase(mark.name());
    else
      timers_[mark.name()] = mark.due_us();
  }
}

// -- host: mail ---------------------------------------------------------------------

void host::handle(mail m) {
  if (phase_ == phase::ended)
    return; // the mail answers for itself
  try {
    take(m);
    if (phase_ != phase::running)
      return;
    drain();
    if (phase_ == phase::running && seq_ == 0)
      try_retire(false); // asked for something that does not exist: do not stay
    if (phase_ == phase::running && draining_)
      leave();
    if (phase_ == phase::running)
      schedule();
  } catch (const std::exception& e) {
    if (phase_ != phase::ended)
      fail(true, std::string{"the entity failed: "} + e.what(), {});
  }
}

void host::take(mail& m) {
  std::visit(
      overloaded{
          [this](mail_loaded& x) { on_loaded(std::move(x)); },
          [this](mail_commits&) { on_commits(); },
          [this](mail_feed& x) { on_feed(std::move(x)); },
          [this](mail_found& x) { on_found(std::move(x)); },
          [this](mail_acknowledged& x) {
            auto now = env_.time.steady();
            if (outbox_.acknowledged(x.target, x.n, now, [this](auto& to, auto n, auto& body) {
                  env_.out.tell(self_, to, n, body);
                }))
              env_.db.acknowledged(self_, x.target, x.n);
            go_on();
          },
          [this](mail_tick&) {
            if (phase_ == phase::running)
              take_tick();
          },
          [this](mail_work&) {
            work_posted_ = false;
            if (phase_ == phase::running)
              work();
          },
          [](mail_wake&) {},
          [this](mail_make_room&) {
            if (phase_ == phase::running)
              try_retire(true);
          },
          [this](mail_stop& x) { end(x.why.code, x.why.message); },
          [this](mail_drain&) { draining_ = true; },
          [this, &m](auto&) { queue_.push_back(std::move(m)); },
      },
      m);
}

bool host::can_decide() const {
  return phase_ == phase::running && speculative() < env_.limits.speculative &&
         held_.size() < env_.limits.held;
}

void host::drain() {
  while (!queue_.empty() && !looking_up_ && can_decide()) {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    process(std::move(next));
  }
  if (phase_ == phase::running)
    go_on();
}

void host::process(mail m) {
  last_used_ = env_.time.steady();
  if (auto* r = std::get_if<mail_request>(&m)) {
    r->credit.give_back();
    take_request(std::move(*r));
  } else if (auto* l = std::get_if<mail_look>(&m)) {
    l->credit.give_back();
    take_look(std::move(*l));
  } else if (auto* t = std::get_if<mail_told>(&m)) {
    t->credit.give_back();
    take_told(std::move(*t));
  }
}

void host::take_request(mail_request m) {
  // Dropped before it is decided, never after: a decision is always told or found again by its id.
  if (m.ask.deadline < env_.time.steady()) {
    env_.probe.mail_refused(kind_.name(), "deadline");
    m.done(error{errc::timed_out, "the request waited longer than its deadline: try again", {}});
    return;
  }
  if (m.ask.id.is_nil()) { // a question has no retry to be told from
    decide_request(std::move(m));
    return;
  }
  if (auto* mark = requests_.find(m.ask.id)) {
    answer_repeated(*mark, std::move(m));
    return;
  }
  if (requests_.may_have_forgotten(m.ask.id, env_.time.now_us() - env_.limits.request_days_us))
    look_up(std::move(m));
  else
    decide_request(std::move(m));
}

void host::look_up(mail_request m) {
  env_.db.find_request(self_, m.ask.id,
                       [post = post_, id = m.ask.id](outcome<std::optional<request_row>> row) {
                         post(mail_found{id, std::move(row)});
                       });
  late_answers_before_ = late_answers_;
  looking_up_ = std::make_unique<mail_request>(std::move(m));
}

void host::answer_repeated(const request_ring::mark& mark, mail_request m) {
  env_.probe.request_repeated(kind_.name());
  if (mark.payload_hash != m.ask.payload_hash) {
    hold([done = m.done.take()](std::uint64_t, const error* failure) {
      if (failure != nullptr)
        done(*failure);
      else
        done(error{errc::idempotency_key_reused,
                   "this Idempotency-Key was used for another request: choose a new key",
                   {}});
    });
    return;
  }
  if (mark.pending || uncommitted_replies_.contains(mark.id))
    answer_later(mark.id, std::move(m));
  else
    answer_from_store(mark.id, std::move(m));
}

/// The answer has not been given yet, or has not committed.
void host::answer_later(const uuid& id, mail_request m) {
  auto fresh = uncommitted_replies_.find(id);
  if (fresh != uncommitted_replies_.end()) {
    // Its own commit is released before this: it has its position by then.
    hold([reply = fresh->second, done = m.done.take()](std::uint64_t, const error* e) {
      if (e != nullptr)
        return done(*e);
      done(*reply);
    });
    return;
  }
  auto& waiting = waiting_[id];
  if (waiting.size() >= env_.limits.waiters)
    m.done(error{errc::overloaded, "too many are waiting for this answer: try again later", {}});
  else
    waiting.push_back(m.done.take());
}

void host::answer_from_store(const uuid& id, mail_request m) {
  ++asked_store_;
  auto answer = [post = post_, done = m.done.take()](std::variant<wire::Reply, error> what) {
    done(std::move(what));
    post(mail_found{uuid{}, std::optional<request_row>{}});
  };
  env_.db.find_request(
      self_, id,
      [self = self_, &db = env_.db, answer](outcome<std::optional<request_row>> row) mutable {
        if (auto* e = std::get_if<error>(&row))
          return answer(*e);
        auto& found = std::get<std::optional<request_row>>(row);
        wire::Reply reply;
        if (found && reply.ParseFromString(found->reply))
          answer_with(std::move(reply), self, db, std::move(answer));
        else
          answer(error{errc::unavailable, "the stored answer could not be read: try again", {}});
      });
}

void host::on_found(mail_found m) {
  if (m.request.is_nil()) { // an answer went out from the store's thread
    --asked_store_;
    return;
  }
  if (!looking_up_ || looking_up_->ask.id != m.request)
    return;
  auto waiting = std::move(*looking_up_);
  looking_up_.reset();
  if (auto* e = std::get_if<error>(&m.row)) {
    waiting.done(*e);
    return;
  }
  auto& found = std::get<std::optional<request_row>>(m.row);
  if (!found) {
    decide_request(std::move(waiting));
    return;
  }
  env_.probe.request_repeated(kind_.name());
  wire::Reply reply;
  if (found->payload_hash != waiting.ask.payload_hash)
    waiting.done(error{errc::idempotency_key_reused,
                       "this Idempotency-Key was used for another request: choose a new key",
                       {}});
  else if (found->reply.empty() && late_answers_ != late_answers_before_)
    look_up(std::move(waiting)); // what was read may be older than an answer that has committed
  else if (found->reply.empty())
    answer_later(m.request, std::move(waiting));
  else if (reply.ParseFromString(found->reply))
    answer_with(std::move(reply), self_, env_.db, waiting.done.take());
  else
    waiting.done(error{errc::internal, "the stored answer is unreadable", {}});
}

void host::decide_request(mail_request m) {
  auto started = env_.time.steady();
  auto refuse_with = [&](error e) {
    env_.probe.turn_finished(kind_.name(), "command", to_string(e.code),
                             seconds(env_.time.steady() - started));
    hold([done = m.done.take(), e = std::move(e)](std::uint64_t, const error* failure) {
      done(failure != nullptr ? *failure : e);
    });
  };
  auto failed = unmet(m.ask, model_->exists() ? seq_ : 0);
  auto ctx = make_context(m.ask.who);
  ctx.request_id = m.ask.id;
  try {
    auto outcome = model_->decide(m.ask.command, ctx);
    auto* e = std::get_if<error>(&outcome);
    if (failed && !(e != nullptr && e->code == errc::not_found)) // 404 comes first: 13.2.1
      e = &*failed;
    if (e != nullptr) {
      refuse_with(std::move(*e));
      return;
    }
    cause why;
    why.request = &m;
    commit_decision(std::move(std::get<decision>(outcome)), why);
    env_.probe.turn_finished(kind_.name(), "command", "ok", seconds(env_.time.steady() - started));
  } catch (const std::exception& e) {
    if (phase_ == phase::ended) { // the commit could not be made: the host has failed as a whole
      if (m.done)
        m.done(error{errc::internal, std::string{"the request cannot be done: "} + e.what(), {}});
      return;
    }
    refuse_with({errc::internal, std::string{"the request could not be decided: "} + e.what(), {}});
  }
}

void host::take_look(mail_look m) {
  if (m.deadline < env_.time.steady()) {
    m.done(error{errc::timed_out, "the request waited longer than its deadline: try again", {}});
    return;
  }
  if (seq_ == 0) {
    m.done(error{errc::not_found, "there is no such " + self_.kind, {}});
    return;
  }
  if (!model_->exists()) { // nothing that clients see has happened, as far as that has committed
    hold([done = m.done.take(), kind = self_.kind](std::uint64_t, const error* failure) {
      done(failure != nullptr ? *failure : error{errc::not_found, "there is no such " + kind, {}});
    });
    return;
  }
  if (committed_ == seq_) { // the common case costs no allocation
    m.done(entity_view{view(), seq_, shard_, position_});
    return;
  }
  hold([v = entity_view{view(), seq_, shard_, 0}, done = m.done.take()](
           std::uint64_t position, const error* failure) mutable {
    if (failure != nullptr)
      return done(*failure);
    v.position = position;
    done(std::move(v));
  });
}

void host::take_told(mail_told m) {
  auto heard = heard_.find(m.source);
  auto last = heard == heard_.end() ? 0 : heard->second;
  if (m.n <= last) { // seen: acknowledged again, but not before what we knew of it has committed
    hold([this, source = m.source, n = last](std::uint64_t, const error* failure) {
      if (failure == nullptr)
        env_.out.acknowledge(source, self_, n);
    });
    return;
  }
  if (m.n != last + 1) { // an earlier one is missing; the source sends both again
    env_.probe.dead_letter("message_gap");
    return;
  }
  auto started = env_.time.steady();
  cause why;
  why.told = &m;
  try {
    wire::Told told;
    must_hold(told.ParseFromString(m.body), "a message is unreadable");
    if (!env_.levels.can_read(told.level())) // stays with its source, which sends it again
      return leave_to_newer("a message of " + m.source.str() + " was " +
                            env_.levels.refusal(told.level()));
    why.told_at_us = told.at_us();
    auto ctx = make_context({m.source.str(), "entity"});
    ctx.source = m.source;
    auto d = told.has_credit() ? model_->credited(told.credit(), ctx)
                               : model_->told(told.message(), ctx);
    heard_[m.source] = m.n;
    commit_decision(std::move(d), why);
    env_.probe.turn_finished(kind_.name(), "message", "ok", seconds(env_.time.steady() - started));
  } catch (const std::exception& e) {
    if (phase_ != phase::ended)
      fail(true, std::string{"a message could not be applied: "} + e.what(), m.body);
  }
}

// -- host: commits that came back -------------------------------------------------------

void host::on_commits() {
  auto outcomes = inbox_->take();
  for (auto& [seq, position] : outcomes.committed)
    release(seq, position);
  if (!outcomes.failure || phase_ == phase::ended)
    return;
  auto& f = *outcomes.failure;
  if (f.why == commit_failure::fenced) {
    end(errc::moved, "another node has taken it over: try again");
    env_.out.failed(self_, incarnation_, false, f.message, {});
    return;
  }
  bool rejected = f.why == commit_failure::rejected;
  under_way failed;
  for (auto& u : under_way_)
    if (u.seq == outcomes.failed_seq)
      failed = u;
  // A client whose command cannot be stored is told so and parks nobody; a message or own work that
  // cannot be stored would come back for ever and counts towards parking.
  end(errc::unavailable,
      "the entity was restarted (" + f.message + "): try again with the same key",
      rejected ? outcomes.failed_seq : 0, f.message);
  env_.out.failed(self_, incarnation_, rejected && !failed.of_client, f.message, failed.body);
}

void host::release(std::uint64_t seq, std::uint64_t position) {
  committed_ = std::max(committed_, seq);
  position_ = std::max(position_, position);
  while (!under_way_.empty() && under_way_.front().seq <= seq)
    under_way_.pop_front();
  while (!held_.empty() && held_.front().seq <= seq) {
    auto go = std::move(held_.front().go);
    held_.pop_front();
    go(position, nullptr);
  }
}

void host::hold(std::function<void(std::uint64_t, const error*)> go) {
  if (committed_ == seq_)
    go(position_, nullptr);
  else
    held_.push_back({seq_, std::move(go)});
}

// -- host: the end ------------------------------------------------------------------------

void host::end(errc code, const std::string& why, std::uint64_t rejected_seq,
               const std::string& fault) {
  phase_ = phase::ended;
  error e{code, why, {}};
  error rejected{errc::internal, "the request cannot be done: " + fault, {}};
  for (auto& h : std::exchange(held_, {}))
    h.go(0, h.reply && h.seq == rejected_seq ? &rejected : &e);
  if (looking_up_)
    looking_up_->done(e);
  looking_up_.reset();
  for (auto& [id, callbacks] : std::exchange(waiting_, {}))
    for (auto& done : callbacks)
      done(e);
  for (auto& m : std::exchange(queue_, {})) {
    if (auto* r = std::get_if<mail_request>(&m))
      r->done(e);
    else if (auto* l = std::get_if<mail_look>(&m))
      l->done(e);
  }
}

void host::fail(bool guilty, const std::string& reason, const std::string& body) {
  end(errc::unavailable, "the entity was restarted (" + reason + "): try again with the same key");
  env_.out.failed(self_, incarnation_, guilty, reason, body);
}

void host::leave_to_newer(const std::string& reason) {
  end(errc::moved, "this node's build is too old for it: another node will take it, try again");
  env_.out.level_too_high(self_, incarnation_, reason);
}

bool host::idle() const {
  bool reading = feed_ && feed_->asked && !feed_->rows;
  return queue_.empty() && held_.empty() && !looking_up_ && asked_store_ == 0 && waiting_.empty() &&
         speculative() == 0 && outbox_.unacknowledged() == 0 && !reading && !model_->has_work();
}

void host::try_retire(bool at_once) {
  const auto unused = env_.time.steady() - last_used_;
  if (!idle() || (!at_once && seq_ != 0 && unused < env_.limits.passivate_after))
    return;
  auto now_us = env_.time.now_us();
  for (auto& [name, at] : timers_)
    if (at < now_us + env_.limits.keep_for_timer_us)
      return;
  if (env_.out.retire(self_, incarnation_))
    phase_ = phase::ended;
}

/// Ends once everything that was begun is done; work and timers go on where the shard goes.
void host::leave() {
  const bool reading = feed_ && feed_->asked && !feed_->rows;
  if (!queue_.empty() || !held_.empty() || looking_up_ || asked_store_ != 0 || speculative() != 0 ||
      reading || !env_.out.retire(self_, incarnation_))
    return;
  // Those who wait for a late answer hear it from the next owner.
  end(errc::moved, "another node is taking it over: try again");
}

context host::make_context(const principal& who) const {
  context ctx;
  ctx.self = self_;
  ctx.who = who;
  ctx.now_us = env_.time.now_us();
  ctx.level = env_.levels.writes();
  return ctx;
}

std::shared_ptr<const std::string> host::view() {
  if (!view_)
    view_ = std::make_shared<const std::string>(model_->view(self_, seq_));
  return view_;
}

} // namespace rahat
