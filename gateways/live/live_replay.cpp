#include "gateways/http/problem.hpp"
#include "gateways/live/live_hub.hpp"
#include "runtime/telemetry/time_text.hpp"

/// Who comes back with a token, or has missed something, is read to from the journal, page by page
/// and no faster than he takes it. What happens meanwhile is held, and follows.
namespace rahat::live {

void live_hub::replay(const std::string& name, const std::shared_ptr<subscriber>& who) {
  who->shard = 0;
  if (auto entity = entity_of(name))
    replay_entity(name, *entity, who);
  else
    replay_feed(who);
}

/// Calls `then` once the sink has room for an event of a replay: a client that takes its time is
/// read to as it goes, and is not flooded. Not with the lock held.
void live_hub::with_room(const std::shared_ptr<subscriber>& who, std::function<void()> then) {
  if (who->places > 0)
    return then();
  who->to->reserve(replay_page, [alive = std::weak_ptr<bool>(alive_), who,
                                 then = std::move(then)](std::size_t places) {
    who->places = places;
    if (auto still = alive.lock())
      then();
  });
}

/// So many of the places that were granted are used.
void live_hub::pushed(subscriber& who, std::size_t events) {
  who.places -= events;
  who.to->give_back(events);
}

/// One page of a replay, without progress. `go_on` steps behind a row, `token` names that place.
/// False: the client has gone.
template <class GoOn, class Token>
bool live_hub::push_page(const std::string& name, const std::vector<journal_row>& page,
                         subscriber& who, GoOn go_on, Token token) {
  std::size_t sent = 0;
  for (auto& row : page) {
    go_on(row);
    if (options_.progress_types.contains(row.type))
      continue;
    if (!who.to->push(replayed(name, row, token())))
      return false;
    ++sent;
  }
  pushed(who, sent);
  return true;
}

void live_hub::replay_entity(const std::string& name, entity_ref entity,
                             std::shared_ptr<subscriber> who) {
  with_room(who, [this, name, entity, who] { read_entity(name, entity, who); });
}

void live_hub::read_entity(const std::string& name, const entity_ref& entity,
                           const std::shared_ptr<subscriber>& who) {
  const auto limit = static_cast<std::uint32_t>(who->places);
  db_.history(entity, who->seq, limit,
              [this, alive = std::weak_ptr<bool>(alive_), name, entity, limit,
               who](outcome<std::vector<journal_row>> rows) {
                auto still = alive.lock();
                if (!still)
                  return;
                auto* page = std::get_if<std::vector<journal_row>>(&rows);
                if (page == nullptr)
                  return cannot_replay(name, who);
                const auto go_on = [&](const journal_row& row) { who->seq = row.seq; };
                const auto token = [&] { return std::to_string(who->seq); };
                if (!push_page(name, *page, *who, go_on, token))
                  return leave(who->to);
                if (page->size() == limit)
                  replay_entity(name, entity, who);
                else
                  caught_up(name, who);
              });
}

/// A token of a future that a restored database does not have: without this its holder would hear
/// nothing until the feed has come that far again.
void live_hub::check_token(std::shared_ptr<subscriber> who) {
  db_.heads(
      [this, alive = std::weak_ptr<bool>(alive_), who](outcome<std::vector<shard_head>> heads) {
        auto still = alive.lock();
        if (!still)
          return;
        auto* all = std::get_if<std::vector<shard_head>>(&heads);
        if (all == nullptr)
          return cannot_replay(feed_name, who);
        bool ahead = false;
        {
          std::unique_lock lock{mutex_};
          for (auto& head : *all)
            if (auto& at = who->positions.positions[head.shard]; at > head.position) {
              at = head.position;
              ahead = true;
            }
        }
        if (ahead && !who->to->push(ahead_of(feed_name, "the feed")))
          return leave(who->to);
        replay_feed(who);
      });
}

live_hub::frame live_hub::ahead_of(const std::string& name, std::string_view what) const {
  error why{errc::invalid_input,
            "the resume token is ahead of " + std::string(what) +
                ": what you know of it may be gone, read it again; from here on it goes on",
            "after"};
  return make_event(name, "", "error", rfc3339(time_.now_us()), http::problem(why).body);
}

void live_hub::replay_feed(std::shared_ptr<subscriber> who) {
  with_room(who, [this, who] { read_feed(who); });
}

void live_hub::read_feed(const std::shared_ptr<subscriber>& who) {
  const auto limit = static_cast<std::uint32_t>(who->places);
  db_.journal(who->shard, who->positions.positions[who->shard], limit,
              [this, alive = std::weak_ptr<bool>(alive_), limit,
               who](outcome<std::vector<journal_row>> rows) {
                auto still = alive.lock();
                if (!still)
                  return;
                auto* page = std::get_if<std::vector<journal_row>>(&rows);
                if (page == nullptr)
                  return cannot_replay(feed_name, who);
                const auto go_on = [&](const journal_row& row) {
                  who->positions.positions[row.shard] = row.position;
                };
                const auto token = [&] { return who->positions.text(); };
                if (!push_page(feed_name, *page, *who, go_on, token))
                  return leave(who->to);
                if (page->size() < limit)
                  ++who->shard;
                if (who->shard < shard_count)
                  replay_feed(who);
                else
                  caught_up(feed_name, who);
              });
}

/// Silence would look like nothing happening: the client is told to come back.
void live_hub::cannot_replay(const std::string& name, const std::shared_ptr<subscriber>& who) {
  cannot_follow(name, who,
                "the journal cannot be read now: connect again and resume after the last token");
}

void live_hub::cannot_follow(const std::string& name, const std::shared_ptr<subscriber>& who,
                             std::string_view sentence) {
  pushed(*who, who->places);
  error why{errc::unavailable, std::string{sentence}, {}};
  who->to->push(make_event(name, "", "error", rfc3339(time_.now_us()), http::problem(why).body));
  leave(who->to);
}

/// What was held meanwhile follows. Where it does not (too much was held, more than the sink has
/// room for, or the journal was read before a commit that the hub has told others of), true: the
/// journal has to be read once more.
bool live_hub::hand_over_held(const std::string& name, const std::shared_ptr<subscriber>& who) {
  std::unique_lock lock{mutex_};
  std::size_t sent = 0;
  bool again = std::exchange(who->unsure, false);
  auto held = std::exchange(who->held, {});
  for (auto event = held.begin(); event != held.end(); ++event) {
    if (!owes(name, *who, *event))
      continue;
    if (sent == who->places || !follows(name, *who, *event)) {
      who->held.assign(event, held.end());
      again = true;
      break;
    }
    if (is_progress(*event))
      continue;
    who->to->push(frame_for(name, *who, *event));
    ++sent;
  }
  for (shard_id shard = 0; name == feed_name && !again && shard < shard_count; ++shard)
    again = order_.started(shard) && order_.position(shard) > who->positions.positions[shard];
  who->replaying = again;
  const auto unused = again ? sent : who->places;
  who->places -= unused; // before anybody may begin the next replay
  lock.unlock();
  who->to->give_back(unused);
  return again;
}

void live_hub::caught_up(const std::string& name, const std::shared_ptr<subscriber>& who) {
  if (hand_over_held(name, who))
    replay(name, who);
  else if (auto entity = entity_of(name))
    send_state(name, *entity, who);
}

void live_hub::send_state(const std::string& name, const entity_ref& entity,
                          const std::shared_ptr<subscriber>& who) {
  all_.look(entity, time_.steady() + std::chrono::seconds(5),
            [this, alive = std::weak_ptr<bool>(alive_), name, who,
             at = rfc3339(time_.now_us())](std::variant<entity_view, error> view) {
              auto still = alive.lock();
              auto* v = std::get_if<entity_view>(&view);
              if (!still || v == nullptr)
                return;
              bool ahead = false;
              {
                std::unique_lock lock{mutex_};
                // A token of a future that a restored database does not have: without this its
                // holder would hear nothing until the entity has come that far again.
                ahead = who->asked_after > v->version;
                if (ahead)
                  who->seq = v->version;
              }
              if (ahead)
                who->to->push(ahead_of(name, "this entity"));
              who->to->push(make_event(name, "", "state", at, *v->json));
            });
}

} // namespace rahat::live
