#include "runtime/cluster/routing/call.hpp"
#include "runtime/cluster/routing/frames.hpp"
#include "runtime/cluster/routing/router.hpp"

/// What comes from peers: their questions, their answers to ours, messages of their outboxes.
namespace rahat::cluster {

namespace {

error wrong_answer() {
  return {errc::internal, "another node has answered something else than was asked", {}};
}

} // namespace

void router::link_up(const uuid& peer) {
  if (live_ != nullptr)
    live_->peer_came(peer);
  reachable_again(peer);
}

/// What was under way may have been done or not: the same id asks again and finds out.
void router::link_down(const uuid& peer) {
  std::vector<call_ptr> orphans;
  {
    std::lock_guard lock{mutex_};
    for (auto at = sent_.begin(); at != sent_.end();) {
      auto next = std::next(at);
      if (at->second.peer == peer) {
        orphans.push_back(at->second.what);
        forget(at);
      }
      at = next;
    }
  }
  for (auto& c : orphans)
    wait(c, "link_down");
  if (live_ != nullptr)
    live_->peer_gone(peer);
}

void router::received(const uuid& peer, wire::Frame frame) {
  switch (frame.body_case()) {
    case wire::Frame::kAsk: answer_ask(peer, frame.call(), frame.ask()); break;
    case wire::Frame::kLook: answer_look(peer, frame.call(), frame.look()); break;
    case wire::Frame::kReply: take_reply(peer, frame.call(), *frame.mutable_reply()); break;
    case wire::Frame::kView: take_view(peer, frame.call(), *frame.mutable_view()); break;
    case wire::Frame::kRefusal:
      if (auto c = take_sent(frame.call(), peer, "refused"))
        c->refuse(from_wire(frame.refusal()));
      break;
    case wire::Frame::kMoved: take_moved(peer, frame.call(), frame.moved()); break;
    case wire::Frame::kTell: take_told(peer, frame.tell()); break;
    case wire::Frame::kHeard:
      d_.here.heard(from_wire(frame.heard().source()), from_wire(frame.heard().target()),
                    frame.heard().n());
      break;
    case wire::Frame::kFollow:
      if (live_ != nullptr)
        live_->peer_follows(peer, frame.follow());
      break;
    case wire::Frame::kHeeded:
      if (live_ != nullptr)
        live_->peer_heeds(peer, frame.heeded());
      break;
    case wire::Frame::kHappened:
      if (live_ != nullptr)
        live_->happened_at(peer, frame.happened());
      break;
    case wire::Frame::kReleased:
      if (frame.released().shard() < shard_count && d_.released)
        d_.released(static_cast<shard_id>(frame.released().shard()),
                    static_cast<std::int64_t>(frame.released().epoch()));
      break;
    case wire::Frame::kUnpark: d_.here.release(from_wire(frame.unpark().entity())); break;
    case wire::Frame::BODY_NOT_SET: d_.probe.message_lost("unknown_frame"); break;
  }
}

void router::take_reply(const uuid& peer, std::uint64_t number, wire::Reply& reply) {
  auto c = take_sent(number, peer, "ok");
  if (!c)
    return;
  if (c->question)
    c->answer(std::variant<wire::Reply, error>{std::move(reply)});
  else
    c->refuse(wrong_answer());
}

void router::take_view(const uuid& peer, std::uint64_t number, wire::View& seen) {
  auto c = take_sent(number, peer, "ok");
  if (!c)
    return;
  if (c->question)
    return c->refuse(wrong_answer());
  entity_view view;
  view.json = std::make_shared<const std::string>(std::move(*seen.mutable_json()));
  view.version = seen.version();
  view.shard = c->shard;
  view.position = seen.position();
  c->answer(std::variant<entity_view, error>{std::move(view)});
}

// -- their questions ------------------------------------------------------------------------

void router::answer_ask(const uuid& peer, std::uint64_t number, const wire::Ask& ask) {
  auto r = from_wire(ask, d_.time.steady());
  const auto shard = shard_of(r.target);
  d_.here.ask(std::move(r),
              [this, peer, number, shard, alive = still_](std::variant<wire::Reply, error> a) {
                if (!alive.lock())
                  return;
                if (auto* why = std::get_if<error>(&a))
                  return refuse_peer(peer, number, shard, *why);
                wire::Frame out;
                out.set_call(number);
                *out.mutable_reply() = std::move(std::get<wire::Reply>(a));
                answer(peer, std::move(out));
              });
}

void router::answer_look(const uuid& peer, std::uint64_t number, const wire::Look& look) {
  auto target = from_wire(look.target());
  const auto shard = shard_of(target);
  const auto deadline = deadline_of(look.left_us(), d_.time.steady());
  d_.here.look(target, deadline,
               [this, peer, number, shard, alive = still_](std::variant<entity_view, error> a) {
                 if (!alive.lock())
                   return;
                 if (auto* why = std::get_if<error>(&a))
                   return refuse_peer(peer, number, shard, *why);
                 auto& seen = std::get<entity_view>(a);
                 wire::Frame out;
                 out.set_call(number);
                 out.mutable_view()->set_json(*seen.json);
                 out.mutable_view()->set_version(seen.version);
                 out.mutable_view()->set_position(seen.position);
                 answer(peer, std::move(out));
               });
}

void router::answer(const uuid& peer, wire::Frame frame) {
  if (d_.links.send(peer, frame))
    return;
  // The link has ended: the peer asks again. Or it has no room for the answer: the peer's caller
  // asks again, and finds the stored reply. Or the answer is too large for any link.
  static const error too_large{
      errc::internal, "the answer is too large to travel between nodes", {}};
  static const error no_room{errc::unavailable, "the way to another node is full: try again", {}};
  const bool fits = frame.ByteSizeLong() <= transport::max_frame_bytes;
  wire::Frame refusal;
  refusal.set_call(frame.call());
  *refusal.mutable_refusal() = to_wire(fits ? no_room : too_large);
  d_.links.send(peer, refusal);
}

void router::refuse_peer(const uuid& peer, std::uint64_t number, shard_id shard, const error& why) {
  wire::Frame out;
  out.set_call(number);
  if (why.code == errc::moved) {
    say_owner(shard, *out.mutable_moved());
  } else {
    *out.mutable_refusal() = to_wire(why);
  }
  answer(peer, std::move(out));
}

void router::take_told(const uuid& peer, const wire::Tell& told) {
  const auto target = from_wire(told.target());
  if (d_.here.deliver(from_wire(told.source()), target, told.n(), told.body()))
    return;
  const auto shard = shard_of(target);
  const auto owner = d_.owners.read()->owners[shard];
  if (owner.node == d_.self)
    return; // no room: it comes again
  wire::Frame out;
  say_owner(shard, *out.mutable_moved());
  d_.links.send(peer, out);
}

/// What this node knows; nothing (epoch 0) while it is itself giving the shard away or taking it.
void router::say_owner(shard_id shard, wire::Moved& out) const {
  const auto owner = d_.owners.read()->owners[shard];
  out.set_shard(shard);
  if (owner.node == d_.self)
    return;
  out.set_epoch(static_cast<std::uint64_t>(owner.epoch));
  out.set_owner(owner.node.raw());
}

void router::take_moved(const uuid& peer, std::uint64_t number, const wire::Moved& moved) {
  if (moved.shard() >= shard_count)
    return;
  const shard_owner now{uuid::from_raw(moved.owner()), static_cast<std::int64_t>(moved.epoch())};
  using merge = shard_map::merge;
  const auto found = d_.owners.moved(static_cast<shard_id>(moved.shard()), now);
  const bool news = found == merge::newer;
  // Two owners of one epoch, or a shard that is mine and that I know nothing of: the rows know.
  if ((found == merge::conflict || (news && now.node == d_.self)) && d_.read_soon)
    d_.read_soon();
  if (auto c = take_sent(number, peer, "moved"))
    wait(c, "moved");
  if (news)
    owners_changed();
}

} // namespace rahat::cluster
