#include "runtime/decider/account.hpp"
#include "runtime/entity/host.hpp"
#include "runtime/entity/host_cause.hpp"

#include <algorithm>
#include <utility>

/// From a decision to a commit: what the journal keeps, what the tables get, what goes out after.
namespace rahat {

namespace {

constexpr std::string_view work_timer = "work";

wire::Credit credit_of(const transfer& t, const entity_ref& self) {
  wire::Credit credit;
  credit.set_purpose(t.purpose.raw());
  credit.set_debit_account(t.debit.raw());
  credit.set_credit_account(t.credit.raw());
  credit.set_amount_minor(t.amount_minor);
  credit.set_currency(t.currency);
  assign(*credit.mutable_from(), self);
  credit.set_why(t.why);
  credit.set_reference(t.reference);
  return credit;
}

bool changes_nothing(const decision& d) {
  return d.empty() && !d.refusal() && !d.postponed() && d.late_answers().empty() &&
         d.payments().empty() && d.lines().empty() && d.staged().empty() && d.accounts().empty() &&
         d.published().empty();
}

} // namespace

void host::commit_decision(decision d, const cause& why) {
  if (why.request != nullptr && changes_nothing(d)) {
    answer_unchanged(d, why);
    return;
  }
  // Before anything has evolved: the request is refused and the entity goes on.
  must_hold(why.request == nullptr || !why.request->ask.id.is_nil(),
            "a question without a request id would change the entity");
  // A decider's timer of that name would keep an idle entity awake, or lose one that has work.
  for (auto& [name, due_us] : d.timers())
    must_hold(name != work_timer, "a decider sets a timer with the host's own name \"work\"");
  must_hold(d.level() <= env_.levels.writes(),
            "a decision writes above the level that all nodes of the cluster can read");
  try {
    make_commit(d, why);
  } catch (const std::exception& e) {
    // The state may have moved on, or half an event, without a commit: it must not be used again.
    // A client whose request cannot be done is told so and parks nobody.
    end(errc::unavailable,
        std::string{"the entity was restarted ("} + e.what() + "): try again with the same key",
        seq_, e.what());
    env_.out.failed(self_, incarnation_, why.request == nullptr,
                    std::string{"a decision could not be applied: "} + e.what(),
                    why.told != nullptr ? why.told->body : std::string{});
    throw;
  }
}

/// Nothing to commit: the answer is what stands, once that has committed.
void host::answer_unchanged(const decision& d, const cause& why) {
  auto reply = make_reply(d.own_answer(), std::nullopt, d.http_status());
  hold([reply, done = why.request->done.take()](std::uint64_t position,
                                                const error* failure) mutable {
    if (failure != nullptr)
      return done(*failure);
    reply.set_position(position);
    done(std::move(reply));
  });
}

void host::make_commit(decision& d, const cause& why) {
  commit c;
  wire::Commit payload;
  c.entity = self_;
  c.shard = shard_;
  c.incarnation = incarnation_;
  c.at_us = env_.time.now_us();
  auto level = cluster::first_level;
  for (auto& event : d.events()) {
    payload.add_events(event.bytes);
    level = std::max(level, event.level);
  }
  if (level > cluster::first_level)
    payload.set_level(static_cast<std::uint32_t>(level));
  // The last event says where the entity has come to: a chunk that arrives and completes is told as
  // the completion, not as one more piece of progress.
  c.type = self_.kind + "." +
           (d.events().empty() ? std::string{"noted"} : std::string{d.events().back().type});
  c.seq = ++seq_;
  const auto known_before = model_->totals();
  for (auto& event : d.events())
    model_->evolve(event.bytes);
  c.totals = model_->totals();
  if (c.totals == known_before)
    c.totals.clear(); // money that only changed its account within the entity
  view_.reset();
  mark_money(d, c, payload);
  number_messages(d, why, c, payload);
  mark_timers(d, why, c, payload);
  publish(d, c);
  under_way_.push_back({seq_, why.request != nullptr, {}});
  if (why.request != nullptr) {
    c.principal = why.request->ask.who.user;
    c.traceparent = why.request->ask.traceparent;
    answer_request(d, why, c, payload);
  } else {
    c.principal = why.told != nullptr ? why.told->source.str() : self_.str();
  }
  answer_late(d, c, payload);
  c.payload = payload.SerializeAsString();
  hold_effects(why, c);
  if (why.told != nullptr)
    under_way_.back().body = std::move(why.told->body);
  work_due_ = model_->has_work();
  maybe_snapshot(c.payload.size());
  env_.db.write(std::move(c), inbox_);
}

void host::mark_money(decision& d, commit& c, wire::Commit& payload) {
  // Marks, messages and rows are matched by their order: both at once would leave it open.
  must_hold(d.transfers().empty() || d.payments().empty(),
            "a decision moves money by transfers or by lines, not by both");
  for (auto& t : d.transfers()) {
    auto& mark = *payload.add_transfers();
    mark.set_purpose(t.purpose.raw());
    mark.set_debit_account(t.debit.raw());
    mark.set_currency(t.currency);
    mark.set_count(1);
    mark.set_sum_minor(t.amount_minor);
    auto hash = digest_of({line_row{0, {}, t.credit, t.amount_minor}});
    mark.set_digest(std::string{rahat::view(hash)});
    assign(*mark.mutable_credit_owner(), t.credit_owner);
  }
  for (auto& p : d.payments()) {
    auto& mark = *payload.add_transfers();
    mark.set_purpose(p.disbursement.raw());
    mark.set_debit_account(p.debit.raw());
    mark.set_currency(p.currency);
    mark.set_first_line(p.first);
    mark.set_last_line(p.last);
    mark.set_count(p.count);
    mark.set_sum_minor(p.sum_minor);
    mark.set_digest(std::string{rahat::view(p.lines_digest)});
    assign(*mark.mutable_credit_owner(), p.credit_owner);
  }
  c.transfers = d.transfers();
  c.payments = d.payments();
  c.lines = d.lines();
  c.staged = d.staged();
  c.accounts = d.accounts();
}

void host::number_messages(const decision& d, const cause& why, commit& c, wire::Commit& payload) {
  auto send = [&](const entity_ref& to, wire::Told& told) {
    auto n = outbox_.next_number(to);
    assign(*told.mutable_source(), self_);
    told.set_n(n);
    told.set_at_us(c.at_us);
    auto& mark = *payload.add_outbox();
    assign(*mark.mutable_target(), to);
    mark.set_n(n);
    c.outbox.push_back({to, n, told.SerializeAsString()});
  };
  for (auto& t : d.transfers()) {
    if (t.credit_owner == self_)
      continue; // its own event says so
    wire::Told told;
    *told.mutable_credit() = credit_of(t, self_);
    send(t.credit_owner, told);
  }
  for (auto& m : d.told()) {
    wire::Told told;
    told.set_message(m.bytes);
    if (m.level > cluster::first_level)
      told.set_level(static_cast<std::uint32_t>(m.level));
    send(m.to, told);
  }
  if (why.told != nullptr) {
    auto& mark = *payload.mutable_inbox();
    assign(*mark.mutable_source(), why.told->source);
    mark.set_n(why.told->n);
    c.inbox_source_n = why.told->n;
  }
}

void host::mark_timers(const decision& d, const cause& why, commit& c, wire::Commit& payload) {
  auto mark = [&](const std::string& name, std::int64_t due_us) {
    if (due_us == 0)
      timers_.erase(name);
    else
      timers_[name] = due_us;
    auto& m = *payload.add_timers();
    m.set_name(name);
    m.set_due_us(due_us);
    c.timers.push_back({name, due_us});
  };
  if (why.timer != nullptr) {
    auto name = *why.timer; // a copy: erasing invalidates the name's owner
    mark(name, 0);
  }
  for (auto& [name, due_us] : d.timers())
    mark(name, due_us);
  // An entity with work left owns a row by which a restart finds it [R10].
  std::string work{work_timer};
  bool has_work = model_->has_work();
  bool marked = timers_.contains(work);
  if (has_work && !marked)
    mark(work, c.at_us);
  else if (!has_work && marked)
    mark(work, 0);
}

void host::publish(const decision& d, commit& c) {
  if (model_->exists())
    c.queries.push_back({self_.kind, self_.id, model_->keys(), *view()});
  for (auto& entry : d.published())
    c.queries.push_back({entry.kind, entry.id, entry.keys, model_->render(entry.answer)});
}

wire::Reply host::make_reply(const std::optional<std::string>& answer,
                             const std::optional<error>& refusal, std::uint32_t http_status) {
  wire::Reply reply;
  reply.set_version(seq_);
  reply.set_shard(shard_);
  if (refusal) {
    reply.set_error(static_cast<std::uint32_t>(refusal->code));
    reply.set_message(refusal->message);
    reply.set_field(refusal->field);
    return reply;
  }
  reply.set_status(http_status);
  // An answer without content stands for the entity's view.
  reply.set_body(answer && !answer->empty() ? model_->render(*answer) : *view());
  return reply;
}

void host::answer_request(const decision& d, const cause& why, commit& c, wire::Commit& payload) {
  auto& m = *why.request;
  request_ring::mark mark{m.ask.id, m.ask.payload_hash, c.at_us, d.postponed()};
  requests_.remember(mark);
  auto& saved = *payload.mutable_request();
  saved.set_id(mark.id.raw());
  saved.set_payload_hash(mark.payload_hash);
  saved.set_at_us(mark.at_us);
  saved.set_pending(mark.pending);
  c.request = request_row{mark.id, mark.payload_hash, {}};
  if (d.postponed()) {
    waiting_[mark.id].push_back(m.done.take());
    return;
  }
  auto reply =
      std::make_shared<wire::Reply>(make_reply(d.own_answer(), d.refusal(), d.http_status()));
  c.request->reply = reply->SerializeAsString();
  uncommitted_replies_[mark.id] = reply;
  held_.push_back({seq_,
                   [this, id = mark.id, reply = std::move(reply), done = m.done.take()](
                       std::uint64_t position, const error* failure) {
                     uncommitted_replies_.erase(id);
                     if (failure != nullptr)
                       return done(*failure);
                     reply->set_position(position);
                     done(*reply);
                   },
                   true});
}

void host::answer_late(const decision& d, commit& c, wire::Commit& payload) {
  for (auto& late : d.late_answers()) {
    std::optional<std::string> answer{late.answer};
    auto reply = std::make_shared<wire::Reply>(make_reply(answer, late.refusal, late.http_status));
    requests_.answered(late.request);
    payload.add_answered(late.request.raw());
    c.answered.push_back({late.request, 0, reply->SerializeAsString()});
    uncommitted_replies_[late.request] = reply;
    auto found = waiting_.find(late.request);
    std::vector<entities::reply_callback> callbacks;
    if (found != waiting_.end()) {
      callbacks = std::move(found->second);
      waiting_.erase(found);
    }
    held_.push_back({seq_, [this, id = late.request, reply, callbacks = std::move(callbacks)](
                               std::uint64_t position, const error* failure) {
                       uncommitted_replies_.erase(id);
                       ++late_answers_;
                       reply->set_position(position);
                       for (auto& done : callbacks) {
                         if (failure != nullptr)
                           done(*failure);
                         else
                           done(*reply);
                       }
                     }});
  }
}

void host::hold_effects(const cause& why, const commit& c) {
  if (why.told != nullptr)
    held_.push_back({seq_, [this, source = why.told->source, n = why.told->n,
                            sent_us = why.told_at_us](std::uint64_t, const error* failure) {
                       if (failure != nullptr)
                         return;
                       env_.probe.message_applied(
                           kind_.name(), static_cast<double>(env_.time.now_us() - sent_us) / 1e6);
                       env_.out.acknowledge(source, self_, n);
                     }});
  if (!c.outbox.empty())
    send_later(c);
  auto transfers = c.transfers.size();
  for (auto& p : c.payments)
    transfers += p.count;
  held_.push_back(
      {seq_, [this, transfers,
              event = live_event{self_, seq_, shard_, 0, c.type, c.at_us, model_->keys().project,
                                 model_->exists() ? view() : nullptr}](
                 std::uint64_t position, const error* failure) mutable {
         if (failure != nullptr)
           return;
         if (transfers > 0)
           env_.probe.transfers_committed(transfers);
         event.position = position;
         env_.out.happened(event);
       }});
}

void host::send_later(const commit& c) {
  held_.push_back({seq_, [this, rows = c.outbox](std::uint64_t, const error* failure) {
                     if (failure != nullptr)
                       return;
                     auto now = env_.time.steady();
                     for (auto& row : rows)
                       outbox_.committed(row, now, [this](auto& to, auto n, auto& body) {
                         env_.out.tell(self_, to, n, body);
                       });
                   }});
}

void host::maybe_snapshot(std::size_t journalled) {
  tail_bytes_ += journalled;
  if (tail_bytes_ < std::max(env_.limits.snapshot_floor_bytes, snapshot_bytes_))
    return;
  wire::Snapshot snapshot;
  snapshot.set_state(model_->save());
  requests_.save(snapshot);
  outbox_.save(snapshot);
  for (auto& [source, n] : heard_) {
    auto& mark = *snapshot.add_inbox();
    assign(*mark.mutable_source(), source);
    mark.set_n(n);
  }
  for (auto& [name, due_us] : timers_) {
    auto& mark = *snapshot.add_timers();
    mark.set_name(name);
    mark.set_due_us(due_us);
  }
  snapshot_row row{self_, seq_, kind_.evolve_version(), snapshot.SerializeAsString()};
  snapshot_bytes_ = row.body.size();
  tail_bytes_ = 0;
  // Only of a committed seq: it is written once this one has committed.
  held_.push_back({seq_, [this, row = std::move(row)](std::uint64_t, const error* failure) mutable {
                     if (failure == nullptr)
                       env_.db.save_snapshot(std::move(row));
                   }});
}

} // namespace rahat
