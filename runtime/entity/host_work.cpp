#include "runtime/entity/host.hpp"
#include "runtime/entity/host_cause.hpp"

#include <algorithm>

/// What an entity does without being asked: its timers and its own work.
namespace rahat {

namespace {

constexpr std::string_view work_timer = "work";

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

void host::schedule() {
  auto now = env_.time.steady();
  auto next = last_used_ + env_.limits.passivate_after;
  if (next <= now)
    next = now + env_.limits.passivate_after;
  if (auto resend = outbox_.next_resend())
    next = std::min(next, *resend);
  auto now_us = env_.time.now_us();
  for (auto& [name, at] : timers_) {
    std::chrono::microseconds left{std::max<std::int64_t>(0, at - now_us)};
    if (name != work_timer)
      next = std::min(next, now + left);
  }
  for (auto armed : armed_)
    if (armed <= next)
      return;
  armed_.push_back(next);
  env_.out.wake_at(self_, next);
}

void host::take_tick() {
  auto now = env_.time.steady();
  std::erase_if(armed_, [now](auto when) { return when <= now; });
  outbox_.resend(now, [this](auto& to, auto n, auto& body) {
    env_.probe.message_sent_again(kind_.name());
    env_.out.tell(self_, to, n, body);
  });
  auto now_us = env_.time.now_us();
  std::vector<std::pair<std::string, std::int64_t>> due;
  for (auto& [name, at] : timers_)
    if (name != work_timer && at <= now_us)
      due.emplace_back(name, at);
  for (auto& [name, at] : due) {
    if (!can_decide() || draining_)
      break;
    auto still = timers_.find(name);
    if (still == timers_.end() || still->second != at)
      continue; // one that fired before it has moved or cancelled it
    try {
      auto ctx = make_context({"timer/" + name, "entity"});
      // A timer is a command whose request id is (timer, due_at): fired once per setting.
      ctx.request_id = derive_id({"timer", self_.kind, self_.id.raw(), name, std::to_string(at)});
      cause why;
      why.timer = &name;
      commit_decision(model_->fired(name, ctx), why);
    } catch (const std::exception& e) {
      if (phase_ != phase::ended)
        fail(true, "timer " + name + " failed: " + e.what(), {});
      return;
    }
  }
  if (phase_ == phase::running)
    try_retire(false);
}

// -- own work -------------------------------------------------------------------

void host::go_on() {
  if (!work_due_ || work_posted_ || draining_ || phase_ != phase::running)
    return;
  if (speculative() >= env_.limits.work_ahead ||
      outbox_.unacknowledged() >= env_.limits.unacknowledged)
    return; // a commit or an acknowledgement brings us back here
  if (feed_ && !feed_->rows && (feed_->asked || committed_ < feed_->wanted_at))
    return;
  work_posted_ = true;
  post_(mail_work{}); // behind the mail that is waiting: work does not starve clients
}

void host::work() {
  if (draining_)
    return;
  if (!work_due_ || !model_->has_work()) {
    work_due_ = false;
    return;
  }
  auto started = env_.time.steady();
  auto ctx = make_context({self_.str(), "entity"});
  auto want = model_->feed_for();
  if (want && (!feed_ || feed_->what != *want))
    feed_ = std::make_unique<feeding>(feeding{*want, seq_, false, {}});
  if (want && !feed_->rows) {
    // Rows that are read must have been committed: all up to the decision that asks for them.
    if (feed_->asked || committed_ < feed_->wanted_at)
      return; // go_on waits for that
    feed_->asked = true;
    env_.db.feed(*want, [post = post_, asked = *want](outcome<wire::Feed> rows) {
      post(mail_feed{asked, std::move(rows)});
    });
    return;
  }
  if (want)
    ctx.feed = &*feed_->rows;
  try {
    auto d = model_->proceed(ctx);
    feed_.reset();
    if (d.empty()) {
      work_due_ = false;
      return;
    }
    commit_decision(std::move(d), cause{});
    env_.probe.turn_finished(kind_.name(), "work", "ok", seconds(env_.time.steady() - started));
  } catch (const std::exception& e) {
    if (phase_ != phase::ended)
      fail(true, std::string{"the entity cannot go on: "} + e.what(), {});
  }
}

void host::on_feed(mail_feed m) {
  if (phase_ != phase::running || !feed_ || feed_->what != m.asked)
    return; // the state has moved on and wants others
  if (auto* e = std::get_if<error>(&m.rows)) {
    fail(false, "rows could not be read: " + e->message, {});
    return;
  }
  feed_->rows = std::move(std::get<wire::Feed>(m.rows));
}

} // namespace rahat
