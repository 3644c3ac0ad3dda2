#include "runtime/cluster/transport/mesh.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

/// Channels, frames and views as they come. Whom to dial, and who may be linked, stands in
/// mesh_peers.cpp.
namespace rahat::cluster {

namespace {

/// What became of a frame by its kind: answers may wait for room, the others are sent again by
/// whoever sent them.
frame_class class_of(const wire::Frame& frame) {
  if (frame.call() == 0)
    return frame_class::in_order;
  switch (frame.body_case()) {
    case wire::Frame::kReply:
    case wire::Frame::kView: return frame_class::answer;
    case wire::Frame::kRefusal:
    case wire::Frame::kMoved: return frame_class::refusal;
    default: return frame_class::question;
  }
}

/// False: it has thrown.
bool guarded(mesh_probe& probe, const std::function<void()>& call) noexcept {
  try {
    call();
    return true;
  } catch (const std::exception& e) {
    probe.call_threw(e.what());
  } catch (...) {
    probe.call_threw("an exception without a text");
  }
  return false;
}

} // namespace

mesh::after::~after() {
  for (auto& call : calls)
    guarded(probe, call);
  for (auto& lane : lanes)
    while (!guarded(probe, [&lane] { lane->run(); })) {
    } // what stands behind it in the lane is still to be called
}

mesh::mesh(dependencies d) : d_(std::move(d)) {
  const auto& self = d_.self;
  if (!self.insecure && (self.signer == nullptr || self.verifier == nullptr))
    throw std::invalid_argument(
        "links need a certificate, its key and the authority: or set cluster.insecure");
}

mesh::~mesh() {
  stop();
}

std::uint16_t mesh::start() {
  auto id = d_.wires.local_id();
  {
    std::lock_guard lock{mutex_};
    d_.self.transport_id = std::move(id);
    running_ = true;
  }
  return d_.wires.start(*this);
}

void mesh::stop() {
  {
    std::lock_guard lock{mutex_};
    if (!std::exchange(running_, false))
      return;
  }
  d_.wires.stop();
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  const auto all = wires_;
  for (const auto& [id, w] : all) {
    w->way.finish(link_end::stopped, "this node stops");
    settle(w, then);
  }
}

void mesh::listen(transport::listener* who) {
  std::lock_guard lock{mutex_};
  listener_ = who;
}

void mesh::on_reading(std::function<void(const member_id&, bool)> listener) {
  std::lock_guard lock{mutex_};
  reading_ = std::move(listener);
}

// -- what goes out --------------------------------------------------------------------------

bool mesh::send(const uuid& to, const wire::Frame& frame) {
  auto no = [&](std::string_view why) {
    d_.probe.frame_not_sent(why);
    return false;
  };
  const auto up = [&](const auto& found) { return found != peers_.end() && found->second.now; };
  const auto size = frame.ByteSizeLong();
  if (size > max_frame_bytes)
    return no("too_large");
  {
    std::lock_guard lock{mutex_};
    if (!up(peers_.find(to)))
      return no("no_link");
  }
  auto bytes = frame.SerializeAsString(); // takes a while if it is large: without the lock
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  auto found = peers_.find(to);
  if (!up(found))
    return no("no_link");
  const auto way = found->second.now;
  if (!way->way.send(class_of(frame), std::move(bytes)))
    return no("no_room");
  found->second.bytes_out += size;
  d_.probe.frame_sent(size);
  settle(way, then);
  return true;
}

std::vector<uuid> mesh::linked() const {
  std::vector<uuid> out;
  std::lock_guard lock{mutex_};
  for (const auto& [id, p] : peers_)
    if (p.now)
      out.push_back(id);
  return out;
}

// -- what comes in --------------------------------------------------------------------------

mesh::wire_ptr mesh::find(channels::id channel) const {
  auto found = wires_.find(channel);
  return found == wires_.end() ? nullptr : found->second;
}

void mesh::opened(channels::id channel, const std::string& remote_id, bool dialled) {
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  const auto unproven = static_cast<std::size_t>(std::count_if(
      wires_.begin(), wires_.end(), [](const auto& w) { return !w.second->counted_up; }));
  if (!running_ || unproven >= d_.terms.unproven) {
    d_.probe.channel_refused();
    then.calls.emplace_back([this, channel] { d_.wires.close(channel); });
    return;
  }
  auto w = std::make_shared<wire_end>(
      wire_end{channel, link(
                            d_.self, dialled ? link_role::dialler : link_role::listener, remote_id,
                            [this, channel](const member_id& who) { return judge(channel, who); },
                            d_.dice, last_link_, d_.time.steady())});
  wires_[channel] = w;
  w->way.begin();
  settle(w, then);
}

void mesh::received(channels::id channel, std::string bytes) {
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  if (auto w = find(channel)) {
    w->way.received(bytes, d_.time.steady());
    if (w->way.now_in() == link::phase::greeting && w->way.peer())
      ask_for_view(then); // somebody whom this node's view does not name, yet
    settle(w, then);
  }
}

void mesh::closed(channels::id channel, const std::string& why) {
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  if (auto w = find(channel)) {
    w->way.finish(link_end::closed, "its channel has ended: " + why);
    settle(w, then);
  }
}

/// Carries out what a link wants done. Under the lock; the calls are made by `then`.
void mesh::settle(const wire_ptr& w, after& then) {
  auto wanted = w->way.take_output();
  for (auto& message : wanted.messages)
    w->out->push([this, id = w->id, m = std::make_shared<wire::LinkMessage>(std::move(message))] {
      d_.wires.send(id, m->SerializeAsString());
    });
  if (!wanted.messages.empty())
    then.lanes.push_back(w->out);
  if (w->way.now_in() == link::phase::up && !w->counted_up)
    came_up(w, then);
  for (auto& frame : wanted.frames)
    deliver(w, std::move(frame), then);
  if (wanted.strangers > 0)
    d_.probe.stranger_heard(wanted.strangers);
  for (auto trip : wanted.round_trips)
    d_.probe.beat_answered(std::chrono::duration<double>(trip).count());
  if (wanted.view_version && *wanted.view_version > std::max(view_version_, newest_heard_of_)) {
    newest_heard_of_ = *wanted.view_version;
    ask_for_view(then);
  }
  if (w->way.now_in() == link::phase::over)
    ended(w, then);
  else if (!wanted.round_trips.empty())
    tell_reading(peers_[w->way.peer()->node], d_.time.steady(), then);
}

/// Frames go to the listener in the order of their peer's calls. Those of a link that was replaced
/// already stand before its link_down.
void mesh::deliver(const wire_ptr& w, link::delivery what, after& then) {
  auto& from = peers_[w->way.peer()->node];
  from.bytes_in += what.frame.size();
  d_.probe.frame_received(what.frame.size());
  from.in->push(
      [this, w, id = from.who.node, held = std::make_shared<link::delivery>(std::move(what))] {
        read_frame(w, id, *held);
      });
  then.lanes.push_back(from.in);
}

/// Called in its turn, without the lock. What it cost is confirmed afterwards: a listener that is
/// slow slows its peer down.
void mesh::read_frame(const wire_ptr& w, const uuid& from, const link::delivery& what) {
  wire::Frame frame;
  const bool readable = frame.ParseFromString(what.frame);
  if (readable && listener_ != nullptr) // if it throws, the frame was taken all the same
    guarded(d_.probe, [&] { listener_->received(from, std::move(frame)); });
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  if (readable)
    w->way.taken(what, d_.time.steady());
  else
    w->way.finish(link_end::violation, "it sent a frame that cannot be read");
  settle(w, then);
}

void mesh::ask_for_view(after& then) {
  if (d_.read_soon)
    then.calls.push_back(d_.read_soon);
}

// -- time and views ---------------------------------------------------------------------------

void mesh::tick() {
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  if (!running_)
    return;
  const auto now = d_.time.steady();
  const auto all = wires_; // links that end leave it
  for (const auto& [id, w] : all) {
    w->way.tick(now, view_version_);
    settle(w, then);
  }
  for (auto& [id, p] : peers_)
    if (p.wanted)
      tell_reading(p, now, then);
  dial_where_due(now, then);
}

void mesh::tell_reading(peer& p, time_point now, after& then) {
  const bool reachable = p.now && p.now->way.reachable(now);
  const bool due = p.told_reachable != reachable || now - p.told_at >= d_.self.terms.beat_every;
  if (!reading_ || !p.wanted || !due)
    return;
  p.told_reachable = reachable;
  p.told_at = now;
  p.in->push([this, who = p.who, reachable] { reading_(who, reachable); });
  then.lanes.push_back(p.in);
}

void mesh::viewed(const view& now, const uuid& self) {
  after then{d_.probe};
  std::lock_guard lock{mutex_};
  if (now.version < view_version_ || !running_)
    return;
  view_version_ = now.version;
  const auto at = d_.time.steady();
  for (auto& [id, p] : peers_)
    p.wanted = false;
  for (const auto& m : now.members) {
    if (m.node_uuid == self || !m.alive())
      continue;
    auto& p = peers_[m.node_uuid];
    if (p.who != m.id()) { // new, or a new life of it: at once
      p.who = m.id();
      p.alone_since = at;
      p.next_dial = at;
      p.redial = std::chrono::milliseconds{0};
      p.dialling = false;
      p.told_reachable.reset();
      p.changed_us = d_.time.now_us();
    }
    p.wanted = true;
    p.address = m.address;
    p.port = m.port;
  }
  drop_former(then);
  const auto all = wires_;
  for (const auto& [id, w] : all) {
    w->way.view_changed(at);
    settle(w, then);
  }
  dial_where_due(at, then);
}

/// Ends the links to those who are no members any more.
void mesh::drop_former(after& then) {
  const auto all = wires_;
  for (const auto& [id, w] : all) {
    const auto& who = w->way.peer();
    if (!w->counted_up)
      continue; // judged when it has proven who it is
    const auto& p = peers_[who->node];
    if (p.wanted && p.who == *who)
      continue;
    w->way.finish(link_end::not_in_view, "node " + who->str() + " is no member any more");
    settle(w, then);
  }
}

} // namespace rahat::cluster
