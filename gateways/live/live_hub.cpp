#include "gateways/live/live_hub.hpp"

#include "runtime/telemetry/time_text.hpp"

#include <charconv>

namespace rahat::live {

namespace {

const std::string feed_name = "feed";

std::optional<entity_ref> entity_of(const std::string& topic, const std::set<std::string>& kinds) {
  auto slash = topic.find('/');
  if (slash == std::string::npos)
    return std::nullopt;
  auto kind = topic.substr(0, slash);
  auto id = uuid::parse(std::string_view{topic}.substr(slash + 1));
  if (!id || !kinds.contains(kind))
    return std::nullopt;
  return entity_ref{std::move(kind), *id};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || rest != end)
    return std::nullopt;
  return value;
}

live_event event_of(const journal_row& row) {
  live_event e;
  e.entity = row.entity;
  e.seq = row.seq;
  e.shard = row.shard;
  e.position = row.position;
  e.type = row.type;
  e.at_us = row.at_us;
  return e;
}

} // namespace

live_hub::live_hub(hub_options options, store& db, entities& all, const clock& time)
    : options_(std::move(options)), db_(db), all_(all), time_(time), thread_([this] { run(); }) {}

live_hub::~live_hub() {
  stop();
}

void live_hub::stop() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    topics_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

// -- announcing -----------------------------------------------------------------------

void live_hub::publish(const live_event& event) {
  if (subscriptions_.load(std::memory_order_relaxed) == 0)
    return;
  std::unique_lock lock{mutex_};
  to_topic(event.entity.str(), event);
  if (feed_active_)
    order_.add(event, [this](const live_event& next) { to_topic(feed_name, next); });
}

void live_hub::to_topic(const std::string& name, const live_event& event) {
  auto found = topics_.find(name);
  if (found == topics_.end() || found->second.subscribers.empty())
    return;
  auto& t = found->second;
  // Whoever is being replayed to gets this one afterwards, in order.
  for (auto it = t.subscribers.begin(); it != t.subscribers.end();) {
    auto& who = *it->second;
    ++it;
    if (!who.replaying)
      continue;
    if (who.held.size() >= max_held) {
      who.held.clear();
      who.again = true; // the replay may be past these shards: it goes round once more
    }
    who.held.push_back(event);
  }
  if (!is_progress(event)) {
    send(t, name, event);
    return;
  }
  for (auto& [key, who] : t.subscribers)
    if (!who->replaying)
      who->seq = std::max(who->seq, event.seq);
  t.progress = event;
  if (time_.steady() - t.progress_sent >= options_.progress_every)
    changed_.notify_one();
}

void live_hub::send(topic& t, const std::string& name, const live_event& event) {
  auto text =
      frame_of(name, event, name == feed_name ? order_.token().text() : std::to_string(event.seq));
  std::vector<sink*> gone;
  std::vector<std::shared_ptr<subscriber>> behind;
  for (auto& [key, who] : t.subscribers) {
    if (who->replaying)
      continue;
    if (name != feed_name) {
      if (event.seq <= who->seq)
        continue;
      if (who->seq != 0 && event.seq != who->seq + 1) { // a hole: fetch it before going on
        who->replaying = true;
        who->held.push_back(event);
        behind.push_back(who);
        continue;
      }
      who->seq = event.seq;
    }
    if (!who->to->push(text))
      gone.push_back(key);
  }
  for (auto* key : gone)
    drop(t, key);
  for (auto& who : behind)
    replay_entity(name, event.entity, who);
}

void live_hub::drop(topic& t, sink* who) {
  subscriptions_ -= t.subscribers.erase(who);
}

live_hub::frame live_hub::frame_of(const std::string& topic, const live_event& e,
                                   std::string token) const {
  std::string data = e.view ? *e.view : "null";
  if (topic == feed_name)
    data = R"({"entity":")" + e.entity.str() + R"(","version":)" + std::to_string(e.seq) +
           R"(,"state":)" + data + "}";
  const bool progress = token.empty();
  return make_event(topic, std::move(token), progress ? "progress" : e.type, rfc3339(e.at_us),
                    data);
}

live_hub::frame live_hub::replayed(const std::string& topic, const journal_row& row,
                                   std::string token) const {
  // The state of that moment is gone; what happened and when is not.
  std::string data = R"({"entity":")" + row.entity.str() + R"(","version":)" +
                     std::to_string(row.seq) + R"(,"replayed":true})";
  return make_event(topic, std::move(token), row.type, rfc3339(row.at_us), data);
}

// -- subscribing ------------------------------------------------------------------------

std::optional<error> live_hub::subscribe(const http::caller&, const std::string& name,
                                         const std::optional<std::string>& after,
                                         std::shared_ptr<sink> to) {
  auto entity = entity_of(name, options_.kinds);
  if (!entity && name != feed_name)
    return error{errc::invalid_input,
                 R"(a topic is "feed" or a kind and an id, e.g. "disbursement/<uuid>")",
                 "subscribe"};
  auto who = std::make_shared<subscriber>();
  who->to = std::move(to);
  if (after && entity) {
    auto seq = number(*after);
    if (!seq)
      return error{errc::invalid_input, "the resume token of " + name + " is not one of ours",
                   "after"};
    who->seq = *seq;
    who->replaying = true;
  } else if (after) {
    auto token = feed_token::parse(*after);
    if (!token)
      return error{errc::invalid_input, "the resume token of the feed is not one of ours", "after"};
    who->positions = *token;
    who->replaying = true;
  }
  bool first_feed = false;
  {
    std::unique_lock lock{mutex_};
    if (stopping_)
      return error{errc::not_ready, "the node is stopping", {}};
    if (subscriptions_.load() >= options_.max_subscriptions)
      return error{errc::overloaded, "too many subscriptions on this node: try another", {}};
    auto& t = topics_[name];
    if (t.subscribers.emplace(who->to.get(), who).second)
      ++subscriptions_;
    if (!entity && t.subscribers.size() == 1) {
      order_ = feed_order{}; // what happened while nobody listened is not told
      feed_active_ = true;
      first_feed = true;
    }
  }
  // A replay of the feed begins once live events are taken: between the two nothing can be missed.
  auto start = [this, who](bool heads_known) {
    if (!heads_known)
      leave(who->to); // the client reconnects with its token
    else if (who->replaying)
      replay_feed(who);
  };
  if (who->replaying && entity)
    replay_entity(name, *entity, who);
  else if (first_feed)
    check_heads(start);
  else if (!entity)
    start(true);
  return std::nullopt;
}

void live_hub::leave(const std::shared_ptr<sink>& to) {
  std::unique_lock lock{mutex_};
  for (auto it = topics_.begin(); it != topics_.end();) {
    subscriptions_ -= it->second.subscribers.erase(to.get());
    it = it->second.subscribers.empty() ? topics_.erase(it) : std::next(it);
  }
}

// -- replaying --------------------------------------------------------------------------

void live_hub::replay_entity(const std::string& name, entity_ref entity,
                             std::shared_ptr<subscriber> who) {
  db_.history(entity, who->seq, replay_page,
              [this, alive = std::weak_ptr<bool>(alive_), name, entity,
               who](outcome<std::vector<journal_row>> rows) {
                auto still = alive.lock();
                if (!still)
                  return;
                auto* page = std::get_if<std::vector<journal_row>>(&rows);
                if (page == nullptr) {
                  leave(who->to); // the client reconnects with its token
                  return;
                }
                for (auto& row : *page) {
                  who->seq = row.seq;
                  if (!options_.progress_types.contains(row.type))
                    who->to->push(replayed(name, row, std::to_string(row.seq)));
                }
                if (page->size() == replay_page)
                  replay_entity(name, entity, who);
                else
                  caught_up(name, who);
              });
}

void live_hub::replay_feed(std::shared_ptr<subscriber> who) {
  db_.journal(
      who->shard, who->positions.positions[who->shard], replay_page,
      [this, alive = std::weak_ptr<bool>(alive_), who](outcome<std::vector<journal_row>> rows) {
        auto still = alive.lock();
        if (!still)
          return;
        auto* page = std::get_if<std::vector<journal_row>>(&rows);
        if (page == nullptr) {
          leave(who->to);
          return;
        }
        for (auto& row : *page) {
          who->positions.positions[row.shard] = row.position;
          if (!options_.progress_types.contains(row.type))
            who->to->push(replayed(feed_name, row, who->positions.text()));
        }
        if (page->size() < replay_page)
          ++who->shard;
        if (who->shard < shard_count)
          replay_feed(who);
        else
          caught_up(feed_name, who);
      });
}

void live_hub::caught_up(const std::string& name, const std::shared_ptr<subscriber>& who) {
  std::optional<entity_ref> entity = entity_of(name, options_.kinds);
  bool again = false;
  {
    std::unique_lock lock{mutex_};
    again = std::exchange(who->again, false);
    who->replaying = again;
    for (auto& event : std::exchange(who->held, {})) {
      if (again)
        break; // they are in the journal
      bool seen =
          entity ? event.seq <= who->seq : event.position <= who->positions.positions[event.shard];
      if (seen)
        continue;
      // The hub's own token is past all that was held: a client that leaves between two of them
      // would miss the second.
      if (entity)
        who->seq = event.seq;
      else
        who->positions.positions[event.shard] = event.position;
      if (!is_progress(event))
        who->to->push(
            frame_of(name, event, entity ? std::to_string(event.seq) : who->positions.text()));
    }
  }
  if (again && entity)
    return replay_entity(name, *entity, who);
  if (again) {
    who->shard = 0;
    return replay_feed(who);
  }
  if (entity)
    send_state(name, *entity, who);
}

void live_hub::send_state(const std::string& name, const entity_ref& entity,
                          const std::shared_ptr<subscriber>& who) {
  all_.look(
      entity, time_.steady() + std::chrono::seconds(5),
      [name, to = who->to, at = rfc3339(time_.now_us())](std::variant<entity_view, error> view) {
        if (auto* v = std::get_if<entity_view>(&view))
          to->push(make_event(name, "", "state", at, *v->json));
      });
}

// -- once in a while --------------------------------------------------------------------

void live_hub::run() {
  auto next_check = time_.steady() + options_.check_every;
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    changed_.wait_for(lock, options_.progress_every);
    if (stopping_)
      return;
    flush_progress();
    if (!feed_active_ || time_.steady() < next_check)
      continue;
    next_check = time_.steady() + options_.check_every;
    lock.unlock();
    check_heads();
    lock.lock();
  }
}

void live_hub::flush_progress() {
  auto now = time_.steady();
  for (auto& [name, t] : topics_) {
    if (!t.progress || now - t.progress_sent < options_.progress_every)
      continue;
    auto text = frame_of(name, *t.progress, {});
    t.progress.reset();
    t.progress_sent = now;
    std::vector<sink*> gone;
    for (auto& [key, who] : t.subscribers)
      if (!who->replaying && !who->to->push(text))
        gone.push_back(key);
    for (auto* key : gone)
      drop(t, key);
  }
}

void live_hub::check_heads(std::function<void(bool)> then) {
  db_.heads([this, alive = std::weak_ptr<bool>(alive_),
             then = std::move(then)](outcome<std::vector<shard_head>> heads) {
    auto still = alive.lock();
    if (!still)
      return;
    auto* all = std::get_if<std::vector<shard_head>>(&heads);
    if (all == nullptr) {
      if (then)
        then(false);
      return;
    }
    std::vector<std::pair<shard_id, std::uint64_t>> behind;
    {
      std::unique_lock lock{mutex_};
      auto emit = [this](const live_event& e) { to_topic(feed_name, e); };
      for (auto& head : *all) // before the first event, so that its token names every shard
        order_.expect(head.shard, head.position);
      for (auto& head : *all) {
        if (!order_.started(head.shard))
          order_.start_at(head.shard, head.position, emit);
        else if (order_.position(head.shard) < head.position)
          behind.emplace_back(head.shard, order_.position(head.shard));
      }
    }
    for (auto [shard, after] : behind)
      fetch_hole(shard, after);
    if (then)
      then(true);
  });
}

void live_hub::fetch_hole(shard_id shard, std::uint64_t after) {
  db_.journal(shard, after, replay_page,
              [this, alive = std::weak_ptr<bool>(alive_)](outcome<std::vector<journal_row>> rows) {
                auto still = alive.lock();
                auto* page = std::get_if<std::vector<journal_row>>(&rows);
                if (!still || page == nullptr)
                  return;
                std::unique_lock lock{mutex_};
                for (auto& row : *page)
                  order_.add(event_of(row),
                             [this](const live_event& e) { to_topic(feed_name, e); });
              });
}

} // namespace rahat::live
