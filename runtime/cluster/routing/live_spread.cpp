#include "runtime/cluster/routing/live_spread.hpp"

#include "runtime/cluster/routing/frames.hpp"

#include <algorithm>
#include <iterator>

namespace rahat::cluster {

namespace {

wire::Frame to_frame(const live_event& e, std::size_t view_bytes) {
  wire::Frame frame;
  auto& out = *frame.mutable_happened();
  *out.mutable_entity() = to_wire(e.entity);
  out.set_seq(e.seq);
  out.set_shard(e.shard);
  out.set_position(e.position);
  out.set_type(e.type);
  out.set_at_us(e.at_us);
  out.set_project(e.project.raw());
  if (e.view && e.view->size() <= view_bytes)
    out.set_view(*e.view);
  return frame;
}

live_event event_of(const wire::Happened& from) {
  live_event e;
  e.entity = from_wire(from.entity());
  e.seq = from.seq();
  e.shard = static_cast<shard_id>(from.shard());
  e.position = from.position();
  e.type = from.type();
  e.at_us = from.at_us();
  e.project = uuid::from_raw(from.project());
  if (!from.view().empty())
    e.view = std::make_shared<const std::string>(from.view());
  return e;
}

} // namespace

// -- owners push --------------------------------------------------------------------------

void live_spread::publish(const live_event& event) {
  if (!wanted_.load(std::memory_order_acquire))
    return;
  std::shared_ptr<const wishes> now;
  {
    std::lock_guard lock{mutex_};
    now = wishes_;
  }
  wire::Frame frame;
  for (const auto& [peer, wish] : *now) {
    if (!wish->feed && !wish->entities.contains(event.entity))
      continue;
    if (!frame.has_happened())
      frame = to_frame(event, d_.limits.view_bytes);
    if (d_.links.send(peer, frame)) {
      d_.probe.live_event_sent();
      continue;
    }
    d_.probe.live_event_dropped();
    std::lock_guard lock{mutex_};
    peers_[peer].dropped.set(event.shard); // of a link that has ended: `peer_came` forgets it
  }
}

/// Heeded at once: what is committed before the answer leaves is in the journal when it arrives.
void live_spread::peer_follows(const uuid& peer, const wire::Follow& what) {
  auto now = std::make_shared<wish>();
  now->feed = what.feed() || static_cast<std::size_t>(what.entities_size()) > d_.limits.topics;
  if (!now->feed)
    for (const auto& e : what.entities())
      now->entities.insert(from_wire(e));
  change_wish(peer, std::move(now));
  wire::Frame heeded;
  heeded.mutable_heeded()->set_number(what.number());
  d_.links.send(peer, heeded); // lost: the peer goes on looking into the journal
}

void live_spread::change_wish(const uuid& peer, std::shared_ptr<const wish> now) {
  std::lock_guard lock{mutex_};
  auto all = std::make_shared<wishes>(*wishes_);
  if (now && (now->feed || !now->entities.empty()))
    (*all)[peer] = std::move(now);
  else
    all->erase(peer);
  wanted_.store(!all->empty(), std::memory_order_release);
  wishes_ = std::move(all);
}

void live_spread::tell_dropped() {
  std::vector<std::pair<uuid, shards>> owed;
  {
    std::lock_guard lock{mutex_};
    for (auto& [peer, r] : peers_)
      if (r.link != 0 && r.dropped.any())
        owed.emplace_back(peer, std::exchange(r.dropped, {}));
  }
  for (auto& [peer, dropped] : owed) {
    wire::Frame frame;
    for (shard_id s = 0; s < shard_count; ++s)
      if (dropped[s])
        frame.mutable_happened()->add_missed(s);
    if (d_.links.send(peer, frame))
      continue;
    std::lock_guard lock{mutex_};
    peers_[peer].dropped |= dropped;
  }
}

// -- events of others -----------------------------------------------------------------------

void live_spread::happened_at(const uuid&, const wire::Happened& event) {
  if (event.has_entity() && event.shard() < shard_count) {
    d_.probe.live_event_heard();
    here_->publish(event_of(event));
  }
  shards gaps;
  for (auto s : event.missed())
    if (s < shard_count)
      gaps.set(s);
  read(gaps, "dropped");
}

void live_spread::peer_came(const uuid& peer) {
  std::lock_guard lock{mutex_};
  reach now;
  now.link = ++last_link_;
  now.next.all = true; // whatever happened while there was no link
  peers_[peer] = std::move(now);
}

void live_spread::peer_gone(const uuid& peer) {
  change_wish(peer, nullptr);
  {
    std::lock_guard lock{mutex_};
    peers_[peer] = {};
  }
  read(owned_by(peer), "link_down");
}

/// Whatever became followed by then is told from now on; the journal has what came before.
void live_spread::peer_heeds(const uuid& peer, const wire::Heeded& what) {
  fresh known;
  {
    std::lock_guard lock{mutex_};
    auto& r = peers_[peer];
    if (r.link == 0)
      return;
    r.heeded = std::max(r.heeded, what.number());
    if (r.asked == 0 || r.heeded < r.asked)
      return;
    known = std::exchange(r.waiting, {});
    r.asked = 0;
  }
  if (known.all)
    return read(owned_by(peer), "link_up");
  const auto owners = d_.owners.read();
  std::erase_if(known.entities, [&](auto& e) { return owners->owners[shard_of(e)].node != peer; });
  if (!known.entities.empty())
    here_->missed(known.entities);
}

// -- our own follow -------------------------------------------------------------------------

void live_spread::tick() {
  if (here_ == nullptr)
    return;
  const auto now = d_.time.steady();
  look_at_owners();
  look_at_unreached(now);
  take_topics(now);
  send_follow(now);
  tell_dropped();
}

void live_spread::take_topics(time_point now) {
  const auto version = here_->topics_version();
  {
    std::lock_guard lock{mutex_};
    if (version == version_ || now < next_follow_)
      return;
  }
  auto topics = here_->topics(d_.limits.topics);
  std::sort(topics.entities.begin(), topics.entities.end());
  std::lock_guard lock{mutex_};
  version_ = version;
  next_follow_ = now + d_.limits.follow_every * (1 + topics.entities.size() / 1'000);
  fresh added;
  added.all = topics.feed && !followed_.feed;
  std::set_difference(topics.entities.begin(), topics.entities.end(), followed_.entities.begin(),
                      followed_.entities.end(), std::back_inserter(added.entities));
  followed_ = std::move(topics);
  ++round_;
  for (auto& [peer, r] : peers_)
    if (r.link != 0)
      add(r.next, added);
}

void live_spread::add(fresh& to, const fresh& more) const {
  to.all = to.all || more.all;
  to.entities.insert(to.entities.end(), more.entities.begin(), more.entities.end());
  if (to.entities.size() > d_.limits.topics)
    to.all = true;
  if (to.all)
    to.entities.clear();
}

void live_spread::send_follow(time_point now) {
  wire::Frame frame;
  std::vector<std::pair<uuid, std::uint64_t>> to;
  std::uint64_t number = 0;
  {
    std::lock_guard lock{mutex_};
    number = round_;
    for (auto& [peer, r] : peers_) {
      if (r.link == 0 || (r.sent == round_ && (r.asked != 0 || r.next.empty())))
        continue;
      if (r.asked == 0) { // before it is sent: the answer may be quicker than we are
        r.asked = round_;
        r.asked_at = now;
        r.waiting = std::exchange(r.next, {});
      }
      to.emplace_back(peer, r.link);
    }
    if (to.empty())
      return;
    auto& follow = *frame.mutable_follow();
    follow.set_number(round_);
    follow.set_feed(followed_.feed);
    for (auto& e : followed_.entities)
      *follow.add_entities() = to_wire(e);
  }
  for (auto& [peer, link] : to) {
    if (!d_.links.send(peer, frame))
      continue; // no room: the next tick tries again
    std::lock_guard lock{mutex_};
    if (auto& r = peers_[peer]; r.link == link)
      r.sent = number;
  }
}

// -- what may have been missed ----------------------------------------------------------------

live_spread::shards live_spread::owned_by(const uuid& node) const {
  shards out;
  const auto now = d_.owners.read();
  for (shard_id s = 0; s < shard_count; ++s)
    if (now->owners[s].node == node)
      out.set(s);
  return out;
}

void live_spread::read(const shards& which, std::string_view why) {
  if (which.none() || here_ == nullptr)
    return;
  std::vector<shard_id> list;
  for (shard_id s = 0; s < shard_count; ++s)
    if (which[s])
      list.push_back(s);
  d_.probe.live_gap(why, list.size());
  here_->missed(list);
}

/// Whoever takes a shard does so when its former owner's last commit has landed; whether that was
/// told to anybody is not known.
void live_spread::look_at_owners() {
  const auto now = d_.owners.read();
  shards moved;
  {
    std::lock_guard lock{mutex_};
    if (seen_ == now)
      return;
    for (shard_id s = 0; s < shard_count; ++s)
      if (!now->owners[s].free() && seen_ && seen_->owners[s] != now->owners[s])
        moved.set(s);
    seen_ = now;
  }
  read(moved, "moved");
}

/// An owner without a link, or one that has not heard what we follow, tells nothing.
void live_spread::look_at_unreached(time_point now) {
  const auto owners = d_.owners.read();
  shards unreached;
  {
    std::lock_guard lock{mutex_};
    if (now < next_unreached_)
      return;
    next_unreached_ = now + d_.limits.unreached_every;
    const auto before = now - d_.limits.unreached_every;
    for (shard_id s = 0; s < shard_count; ++s) {
      const auto& owner = owners->owners[s].node;
      if (owner.is_nil() || owner == d_.self)
        continue;
      auto r = peers_.find(owner);
      if (r == peers_.end() || !r->second.covered() || r->second.unanswered(before))
        unreached.set(s);
    }
    for (auto& [peer, r] : peers_)
      if (r.unanswered(before)) {
        r.sent = 0; // once more
        r.asked_at = now;
      }
  }
  read(unreached, "unreached");
}

} // namespace rahat::cluster
