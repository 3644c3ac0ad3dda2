#include "runtime/cluster/transport/mesh.hpp"

#include <algorithm>
#include <utility>

/// Whom to dial, who may be linked, and which of two links is used. Everything here runs under the
/// mesh's lock.
namespace rahat::cluster {

std::string_view to_string(peer_status::link_state state) {
  switch (state) {
    case peer_status::link_state::none: return "none";
    case peer_status::link_state::dialling: return "dialling";
    case peer_status::link_state::proving: return "proving";
    case peer_status::link_state::up: return "up";
  }
  return "unknown";
}

/// Asked by a link of the channel about who has said hello on it.
admission mesh::judge(channels::id channel, const member_id& who) {
  using verdict = admission::verdict;
  auto found = peers_.find(who.node);
  if (found == peers_.end() || who.incarnation > found->second.who.incarnation)
    return {verdict::unknown, {}};
  const auto& p = found->second;
  if (who.incarnation < p.who.incarnation)
    return {verdict::refused, "node " + who.str() + " has been followed by incarnation " +
                                  std::to_string(p.who.incarnation) + ": it has to stop"};
  if (!p.wanted)
    return {verdict::refused, "node " + who.str() + " is dead or has left: it has to join again"};
  // Or else the address of another member, which is this one's by mistake, would replace a healthy
  // link each time it is dialled.
  const auto mine = find(channel);
  if (mine && mine->way.role() == link_role::dialler && (!p.dialling || answers_already(*mine)))
    return {verdict::refused, "node " + who.str() + " answers at the address of another member"};
  return {verdict::welcome, {}};
}

/// Another dial has reached the same peer before.
bool mesh::answers_already(const wire_end& dialled) const {
  return std::any_of(wires_.begin(), wires_.end(), [&](const auto& w) {
    const auto& other = w.second->way;
    return w.first != dialled.id && other.role() == link_role::dialler &&
           other.now_in() == link::phase::proving && other.peer() == dialled.way.peer();
  });
}

/// A link has been proven. Of two, the one with the higher number is used: the smaller uuid, which
/// numbers them, has welcomed it later.
void mesh::came_up(const wire_ptr& w, after& then) {
  w->counted_up = true;
  const auto who = *w->way.peer();
  auto& p = peers_[who.node];
  if (!p.wanted || p.who != who) { // the view has changed meanwhile
    w->way.finish(link_end::not_in_view, "node " + who.str() + " is no member any more");
    return;
  }
  const auto former = p.now;
  if (former && former->way.number() > w->way.number()) {
    w->way.finish(link_end::replaced, "a newer link is in use");
    return;
  }
  if (former) {
    former->way.finish(link_end::replaced, "a newer link is in use");
    ended(former, then);
  }
  p.now = w;
  p.dialling = false;
  p.redial = std::chrono::milliseconds{0};
  p.changed_us = d_.time.now_us();
  d_.probe.link_came(links());
  if (listener_ != nullptr) {
    p.in->push([this, id = who.node] { listener_->link_up(id); });
    then.lanes.push_back(p.in);
  }
}

/// Takes a link that is over out of everything; once.
void mesh::ended(const wire_ptr& w, after& then) {
  if (wires_.erase(w->id) == 0)
    return;
  const auto now = d_.time.steady();
  const auto reason = w->way.why_over();
  for (auto& message : w->way.take_output().messages) // the last word
    w->out->push(
        [this, id = w->id, bytes = message.SerializeAsString()] { d_.wires.send(id, bytes); });
  w->out->push([this, id = w->id] { d_.wires.close(id); });
  then.lanes.push_back(w->out);

  bool was_up = false;
  if (const auto& who = w->way.peer()) {
    auto found = peers_.find(who->node);
    if (found != peers_.end()) {
      auto& p = found->second;
      was_up = p.now == w;
      if (reason != link_end::replaced)
        p.trouble = w->way.sentence();
      if (was_up) {
        p.now = nullptr;
        p.alone_since = now;
        p.changed_us = d_.time.now_us();
        put_off(p, now);
        if (listener_ != nullptr)
          p.in->push([this, id = who->node] { listener_->link_down(id); });
        tell_reading(p, now, then);
        then.lanes.push_back(p.in);
      } else if (w->way.role() == link_role::dialler && p.dialling) {
        dial_is_over(p, now, w->way.sentence());
      }
    }
  } else if (w->way.role() == link_role::dialler) {
    // Which dial it was is known when there is only one.
    peer* only = nullptr;
    std::size_t dialling = 0;
    for (auto& [id, p] : peers_)
      if (p.dialling && !handshaking(id)) {
        only = &p;
        ++dialling;
      }
    if (dialling == 1)
      dial_is_over(*only, now, w->way.sentence());
  }
  d_.probe.link_ended(to_string(reason), was_up, links());
}

std::size_t mesh::links() const {
  return static_cast<std::size_t>(
      std::count_if(peers_.begin(), peers_.end(), [](const auto& p) { return p.second.now; }));
}

// -- dialling -------------------------------------------------------------------------------

bool mesh::handshaking(const uuid& node) const {
  return std::any_of(wires_.begin(), wires_.end(), [&](const auto& w) {
    return !w.second->counted_up && w.second->way.peer() && w.second->way.peer()->node == node;
  });
}

bool mesh::may_dial(const peer& p, time_point now) const {
  if (!p.wanted || p.now || p.dialling || p.address.empty() || now < p.next_dial)
    return false;
  const bool mine = d_.self.id.node < p.who.node;
  return (mine || now - p.alone_since >= d_.terms.larger_dials_after) && !handshaking(p.who.node);
}

void mesh::dial_where_due(time_point now, after& then) {
  for (auto& [id, p] : peers_) {
    if (p.dialling && now - p.dialled_at >= d_.terms.dial_limit)
      dial_is_over(p, now, "nothing was heard of the dial");
    if (!may_dial(p, now))
      continue;
    p.dialling = true;
    p.dialled_at = now;
    d_.probe.dial_started();
    then.calls.emplace_back([this, host = p.address, port = p.port] { d_.wires.dial(host, port); });
  }
}

void mesh::dial_failed(const std::string& host, std::uint16_t port, const std::string& why) {
  std::lock_guard lock{mutex_};
  for (auto& [id, p] : peers_)
    if (p.dialling && p.address == host && p.port == port)
      dial_is_over(p, d_.time.steady(),
                   "dialling " + host + ":" + std::to_string(port) + ": " + why);
}

void mesh::dial_is_over(peer& p, time_point now, const std::string& why) {
  p.dialling = false;
  p.trouble = why;
  put_off(p, now);
  d_.probe.dial_failed();
}

/// When it is dialled next: later each time, and not by all at the same moment.
void mesh::put_off(peer& p, time_point now) {
  p.redial =
      p.redial.count() == 0 ? d_.terms.redial_first : std::min(p.redial * 2, d_.terms.redial_last);
  const auto span = static_cast<std::uint64_t>(p.redial.count()) / 2 + 1;
  const auto less_or_more =
      static_cast<std::int64_t>(d_.dice.number() % span) - p.redial.count() / 4;
  p.next_dial = now + p.redial + std::chrono::milliseconds(less_or_more);
}

// -- for operators ----------------------------------------------------------------------------

std::vector<peer_status> mesh::peers() const {
  using state = peer_status::link_state;
  std::vector<peer_status> out;
  std::lock_guard lock{mutex_};
  const auto now = d_.time.steady();
  for (const auto& [id, p] : peers_) {
    if (!p.wanted)
      continue;
    auto& one = out.emplace_back();
    one.who = p.who;
    one.state = p.now             ? state::up
                : handshaking(id) ? state::proving
                : p.dialling      ? state::dialling
                                  : state::none;
    one.since_us = p.changed_us;
    one.bytes_in = p.bytes_in;
    one.bytes_out = p.bytes_out;
    one.last_trouble = p.trouble;
    if (!p.now)
      continue;
    one.reachable = p.now->way.reachable(now);
    one.rtt_us = p.now->way.round_trip().count();
    one.unconfirmed = p.now->way.unconfirmed();
    one.waiting = p.now->way.waiting();
  }
  return out;
}

} // namespace rahat::cluster
