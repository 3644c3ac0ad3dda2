#include "runtime/cluster/routing/router.hpp"

#include "runtime/cluster/routing/call.hpp"
#include "runtime/cluster/routing/frames.hpp"

#include <algorithm>

/// Calls on their way out. What comes in from peers stands in router_incoming.cpp.
namespace rahat::cluster {

namespace {

constexpr std::chrono::milliseconds tick_every{10};

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

error stopping() {
  return {errc::not_ready, "the node is stopping: try another or again", {}};
}

/// Not to be tried again: it is too large wherever it is sent from.
error too_large(std::size_t bytes) {
  constexpr auto mib = 1024 * 1024;
  return {errc::body_too_large,
          "the request takes " + std::to_string(bytes) +
              " bytes on its way to the node that serves it, and " +
              std::to_string(transport::max_frame_bytes / mib) +
              " MiB are the most: send less at once",
          {}};
}

error on_its_way() {
  return {errc::moved, "another node is taking it over: try again in a second", {}};
}

} // namespace

/// Calls are numbered from the wall clock on: an answer to a former process of this node, which
/// comes when the new one has asked something else, must not be taken for its answer.
router::router(dependencies d)
    : d_(std::move(d)), last_number_(static_cast<std::uint64_t>(d_.time.now_us())) {}

router::~router() {
  stop();
}

void router::stop() {
  std::list<call_ptr> waiting;
  std::unordered_map<std::uint64_t, sent> under_way;
  {
    std::lock_guard lock{mutex_};
    if (std::exchange(stopping_, true))
      return;
    waiting.swap(waiting_);
    waiting_bytes_ = 0;
    under_way.swap(sent_);
    credits_.clear();
    alive_.reset();
  }
  for (auto& c : waiting)
    c->refuse(stopping());
  for (auto& [number, s] : under_way)
    s.what->refuse(stopping());
}

std::size_t router::waiting() const {
  std::lock_guard lock{mutex_};
  return waiting_.size();
}

std::size_t router::under_way() const {
  std::lock_guard lock{mutex_};
  return sent_.size();
}

// -- entities -----------------------------------------------------------------------------

void router::ask(request r, reply_callback done) {
  auto c = std::make_shared<call>();
  c->target = r.target;
  c->deadline = r.deadline;
  c->bytes = r.command.size();
  c->question = std::move(r);
  c->replied = std::move(done);
  start(std::move(c));
}

void router::look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
                  view_callback done) {
  auto c = std::make_shared<call>();
  c->target = target;
  c->deadline = deadline;
  c->seen = std::move(done);
  start(std::move(c));
}

void router::start(call_ptr c) {
  c->shard = shard_of(c->target);
  c->give_up = std::min(c->deadline, d_.time.steady() + d_.limits.patience);
  route(c);
}

void router::route(const call_ptr& c) {
  const auto owner = d_.owners.read()->owners[c->shard];
  c->went_by = owner;
  if (owner.node == d_.self)
    ask_here(c);
  else if (owner.free())
    wait(c, "no_owner");
  else
    ask_there(c, owner.node);
}

void router::ask_here(const call_ptr& c) {
  auto answered = [this, c, alive = still_](auto answer) {
    auto* refused = std::get_if<error>(&answer);
    if (refused == nullptr || refused->code != errc::moved)
      c->answer(std::move(answer));
    else if (alive.lock())
      wait(c, "moved");
    else
      c->refuse(stopping());
  };
  if (c->question)
    d_.here.ask(*c->question, std::move(answered));
  else
    d_.here.look(c->target, c->deadline, std::move(answered));
}

void router::ask_there(const call_ptr& c, const uuid& peer) {
  const auto now = d_.time.steady();
  wire::Frame frame;
  bool over = false;
  {
    std::lock_guard lock{mutex_};
    over = stopping_;
    auto& credit = credits_[peer];
    const bool room = credit.calls == 0 || (credit.calls < d_.limits.calls_per_peer &&
                                            credit.bytes + c->bytes <= d_.limits.bytes_per_peer);
    if (room && !over) {
      ++credit.calls;
      credit.bytes += c->bytes;
      frame.set_call(++last_number_);
      sent_[last_number_] = {c, peer, now};
    }
  }
  if (frame.call() == 0) {
    c->refuse(over
                  ? stopping()
                  : error{errc::overloaded, "too much is waiting for another node: try again", {}});
    return;
  }
  if (c->question) {
    *frame.mutable_ask() = to_wire(*c->question, now);
  } else {
    auto& look = *frame.mutable_look();
    *look.mutable_target() = to_wire(c->target);
    look.set_left_us(
        std::chrono::duration_cast<std::chrono::microseconds>(c->deadline - now).count());
  }
  arm();
  if (d_.links.send(peer, frame))
    return;
  const bool fits = frame.ByteSizeLong() <= transport::max_frame_bytes;
  if (!take_sent(frame.call(), peer, fits ? "no_link" : "too_large"))
    return;
  if (fits)
    wait(c, "no_link");
  else
    c->refuse(too_large(frame.ByteSizeLong()));
}

/// Puts a call aside until its shard has an owner that can be reached.
void router::wait(const call_ptr& c, std::string_view why) {
  const auto now = d_.time.steady();
  std::size_t many = 0;
  bool room = false;
  bool over = false;
  {
    std::lock_guard lock{mutex_};
    over = stopping_;
    room = !over && now < c->give_up && waiting_.size() < d_.limits.waiting &&
           waiting_bytes_ + c->bytes <= d_.limits.waiting_bytes;
    if (room) {
      c->again_after = std::min(c->again_after == std::chrono::milliseconds{0} // the first time
                                    ? d_.limits.again_first
                                    : c->again_after * 2,
                                d_.limits.again_last);
      c->again_at = now + c->again_after;
      waiting_.push_back(c);
      waiting_bytes_ += c->bytes;
      many = waiting_.size();
    }
  }
  if (!room) {
    c->refuse(over ? stopping() : on_its_way());
    return;
  }
  d_.probe.call_waits(many);
  d_.probe.call_again(why);
  arm();
}

router::call_ptr router::take_sent(std::uint64_t number, const uuid& peer,
                                   std::string_view outcome) {
  call_ptr c;
  time_point since;
  {
    std::lock_guard lock{mutex_};
    auto found = sent_.find(number);
    if (found == sent_.end() || found->second.peer != peer)
      return nullptr;
    c = found->second.what;
    since = found->second.since;
    forget(found);
  }
  d_.probe.hop_finished(c->question ? "ask" : "look", outcome, seconds(d_.time.steady() - since));
  return c;
}

/// Gives its credit back. Under the lock.
void router::forget(std::unordered_map<std::uint64_t, sent>::iterator at) {
  auto& credit = credits_[at->second.peer];
  --credit.calls;
  credit.bytes -= at->second.what->bytes;
  sent_.erase(at);
}

// -- elsewhere ----------------------------------------------------------------------------

void router::tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                  const std::string& body) {
  const auto owner = d_.owners.read()->owners[shard_of(target)];
  if (owner.node == d_.self) {
    if (!d_.here.deliver(source, target, n, body))
      d_.probe.message_lost("refused_here");
    return;
  }
  wire::Frame frame;
  auto& tell = *frame.mutable_tell();
  *tell.mutable_source() = to_wire(source);
  *tell.mutable_target() = to_wire(target);
  tell.set_n(n);
  tell.set_body(body);
  if (owner.free() || !d_.links.send(owner.node, frame))
    d_.probe.message_lost(owner.free() ? "no_owner" : "no_link");
}

void router::acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) {
  const auto owner = d_.owners.read()->owners[shard_of(source)];
  if (owner.node == d_.self) {
    d_.here.heard(source, target, n);
    return;
  }
  wire::Frame frame;
  auto& heard = *frame.mutable_heard();
  *heard.mutable_source() = to_wire(source);
  *heard.mutable_target() = to_wire(target);
  heard.set_n(n);
  if (owner.free() || !d_.links.send(owner.node, frame))
    d_.probe.message_lost(owner.free() ? "no_owner" : "no_link");
}

void router::release(const entity_ref& entity) {
  const auto owner = d_.owners.read()->owners[shard_of(entity)];
  if (owner.node == d_.self)
    return d_.here.release(entity);
  wire::Frame frame;
  *frame.mutable_unpark()->mutable_entity() = to_wire(entity);
  if (owner.free() || !d_.links.send(owner.node, frame))
    d_.probe.message_lost(owner.free() ? "no_owner" : "no_link");
}

// -- waiting --------------------------------------------------------------------------------

void router::owners_changed() {
  const auto known = d_.owners.read();
  {
    std::lock_guard lock{mutex_};
    for (auto& c : waiting_)
      if (known->owners[c->shard] != c->went_by)
        c->again_at = {};
  }
  send_waiting();
}

/// Calls wait for the link to the peer, maybe.
void router::reachable_again(const uuid& peer) {
  const auto known = d_.owners.read();
  {
    std::lock_guard lock{mutex_};
    for (auto& c : waiting_)
      if (known->owners[c->shard].node == peer)
        c->again_at = {};
  }
  send_waiting();
}

/// Sends on their way those whose time has come.
void router::send_waiting() {
  std::vector<call_ptr> due;
  const auto now = d_.time.steady();
  {
    std::lock_guard lock{mutex_};
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if ((*at)->again_at <= now || (*at)->give_up <= now) {
        waiting_bytes_ -= (*at)->bytes;
        due.push_back(std::move(*at));
        at = waiting_.erase(at);
      } else {
        ++at;
      }
    }
  }
  if (!due.empty())
    d_.probe.call_waits(waiting());
  for (auto& c : due) {
    if (c->give_up <= now)
      c->refuse(on_its_way());
    else
      route(c);
  }
}

/// One tick is on its way while anything waits.
void router::arm() {
  std::weak_ptr<bool> alive;
  {
    std::lock_guard lock{mutex_};
    if (stopping_ || std::exchange(armed_, true))
      return;
    alive = alive_;
  }
  d_.later(tick_every, [this, alive] {
    if (alive.lock())
      tick();
  });
}

void router::tick() {
  std::vector<call_ptr> silent;
  const auto now = d_.time.steady();
  {
    std::lock_guard lock{mutex_};
    armed_ = false;
    for (auto at = sent_.begin(); at != sent_.end();) {
      auto next = std::next(at);
      if (at->second.what->deadline + d_.limits.grace <= now) {
        silent.push_back(at->second.what);
        forget(at);
      }
      at = next;
    }
  }
  for (auto& c : silent) {
    d_.probe.hop_finished(c->question ? "ask" : "look", "timed_out", 0);
    c->refuse({errc::timed_out, "another node has not answered in time: try again", {}});
  }
  send_waiting();
  bool more = false;
  {
    std::lock_guard lock{mutex_};
    more = !waiting_.empty() || !sent_.empty();
  }
  if (more)
    arm();
}

} // namespace rahat::cluster
