#include "gateways/live/live_hub.hpp"

#include "gateways/http/problem.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <algorithm>
#include <charconv>

namespace rahat::live {

namespace {

constexpr std::chrono::milliseconds wake_every{100};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || rest != end)
    return std::nullopt;
  return value;
}

} // namespace

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

std::optional<entity_ref> live_hub::entity_of(const std::string& topic) const {
  auto slash = topic.find('/');
  if (slash == std::string::npos)
    return std::nullopt;
  auto kind = topic.substr(0, slash);
  auto id = uuid::parse(std::string_view{topic}.substr(slash + 1));
  if (!id || !options_.kinds.contains(kind))
    return std::nullopt;
  return entity_ref{std::move(kind), *id};
}

live_hub::live_hub(hub_options options, store& db, entities& all, const clock& time)
    : options_(std::move(options)), db_(db), all_(all), time_(time) {
  thread_.start([this] { run(); });
}

live_hub::~live_hub() {
  stop();
}

void live_hub::stop() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    topics_.clear();
    ++topics_version_;
    behind_.clear();
    doubted_.clear();
    is_doubted_.clear();
    states_owed_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

part live_hub::as_part() {
  const auto start = [this](death_notice died) {
    if (!thread_.running()) {
      {
        std::unique_lock lock{mutex_};
        stopping_ = false;
      }
      thread_.start([this] { run(); });
    }
    thread_.watch(std::move(died));
  };
  const auto health = [this] { return std::to_string(subscriptions_.load()) + " subscriptions"; };
  return {"live-hub", "hub", start, [this] { stop(); }, health};
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
    if (who.held.size() >= max_held) { // the journal has them
      who.held.clear();
      who.unsure = true;
    }
    who.held.push_back(event);
  }
  if (!is_progress(event)) {
    send(t, name, event);
    return;
  }
  for (auto& [key, who] : t.subscribers)
    if (!who->replaying && owes(name, *who, event) && !follows(name, *who, event))
      fall_behind(name, who, event);
  if (!event.view)
    return; // of the journal: a replay says no progress
  t.progress = event;
  if (time_.steady() - t.progress_sent >= options_.progress_every)
    changed_.notify_one();
}

void live_hub::send(topic& t, const std::string& name, const live_event& event) {
  frame shared; // the same bytes for all who stand where the hub stands
  std::vector<sink*> gone;
  const bool without_document = !event.view && t.entity;
  if (without_document && states_owed_.insert(name).second)
    changed_.notify_one();
  for (auto& [key, who] : t.subscribers) {
    if (who->replaying || !owes(name, *who, event))
      continue;
    if (!follows(name, *who, event)) { // a hole: fetch it before going on
      fall_behind(name, who, event);
      continue;
    }
    who->owed_state = without_document; // else it has the newest
    bool alone = name == feed_name && who->positions.positions != order_.token().positions;
    if (alone || !shared) {
      auto text = frame_for(name, *who, event);
      if (!alone)
        shared = text;
      if (!who->to->push(std::move(text)))
        gone.push_back(key);
    } else if (!who->to->push(shared)) {
      gone.push_back(key);
    }
  }
  for (auto* key : gone)
    drop(t, key);
}

/// False for what the subscriber has had already, live or by a replay.
bool live_hub::owes(const std::string& name, const subscriber& who, const live_event& event) const {
  return name == feed_name ? event.position > who.positions.positions[event.shard]
                           : event.seq > who.seq;
}

/// True when the event is the subscriber's next; it then stands at it.
bool live_hub::follows(const std::string& name, subscriber& who, const live_event& event) {
  if (name == feed_name) {
    auto& last = who.positions.positions[event.shard];
    if (event.position != last + 1)
      return false;
    last = event.position;
    return true;
  }
  if ((who.placed || who.seq != 0) && event.seq != who.seq + 1)
    return false;
  who.placed = true;
  who.seq = event.seq;
  return true;
}

/// The journal is asked by our own thread: the store may call back at once, and we hold the lock.
void live_hub::fall_behind(const std::string& name, const std::shared_ptr<subscriber>& who,
                           const live_event& event) {
  who->replaying = true;
  who->held.push_back(event);
  behind_.emplace_back(name, who);
  changed_.notify_one();
}

live_hub::frame live_hub::frame_for(const std::string& name, const subscriber& who,
                                    const live_event& event) const {
  return frame_of(name, event,
                  name == feed_name ? who.positions.text() : std::to_string(event.seq));
}

void live_hub::drop(topic& t, sink* who) {
  subscriptions_ -= t.subscribers.erase(who);
}

/// Without a token: progress. An event without its document looks as in a replay.
live_hub::frame live_hub::frame_of(const std::string& topic, const live_event& e,
                                   std::string token) const {
  std::string data = e.view ? *e.view : "null";
  if (!e.view && topic != feed_name)
    data = R"({"entity":")" + e.entity.str() + R"(","version":)" + std::to_string(e.seq) +
           R"(,"replayed":true})";
  if (topic == feed_name)
    data = R"({"entity":")" + e.entity.str() + R"(","version":)" + std::to_string(e.seq) +
           R"(,"state":)" + data + "}";
  auto type = token.empty() ? std::string{"progress"} : e.type;
  return make_event(topic, std::move(token), type, rfc3339(e.at_us), data);
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
                                         std::shared_ptr<sink> to, std::function<void()> placed) {
  auto entity = entity_of(name);
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
    who->asked_after = *seq;
    who->placed = true;
    who->replaying = true;
  } else if (after) {
    auto token = feed_token::parse(*after);
    if (!token)
      return error{errc::invalid_input, "the resume token of the feed is not one of ours", "after"};
    who->positions = *token;
    who->replaying = true;
  }
  bool first_feed = false;
  bool find_place = false;
  {
    std::unique_lock lock{mutex_};
    if (stopping_)
      return error{errc::not_ready, "the node is stopping", {}};
    if (subscriptions_.load() >= options_.max_subscriptions)
      return error{errc::overloaded, "too many subscriptions on this node: try another", {}};
    auto [at, is_new] = topics_.try_emplace(name);
    auto& t = at->second;
    t.entity = entity;
    if (is_new)
      ++topics_version_;
    find_place = options_.clustered && entity && !after && !stands_with_others(t, *who);
    who->replaying = who->replaying || find_place;
    if (t.subscribers.emplace(who->to.get(), who).second)
      ++subscriptions_;
    if (!entity && !feed_active_) {
      feed_active_ = true;
      first_feed = true;
    }
    if (!entity && !after) { // from here on, which is only known once the heads have been read
      who->unplaced = !order_.started(0);
      who->positions = order_.token();
      if (options_.clustered && who->unplaced)
        who->on_placed = std::exchange(placed, nullptr);
    }
  }
  if (first_feed)
    check_heads();
  if (find_place)
    place(name, *entity, who, std::exchange(placed, nullptr));
  else if (after && entity)
    replay(name, who);
  else if (after)
    check_token(who);
  if (placed)
    placed();
  return std::nullopt;
}

void live_hub::leave(const std::shared_ptr<sink>& to) {
  std::unique_lock lock{mutex_};
  for (auto it = topics_.begin(); it != topics_.end();) {
    subscriptions_ -= it->second.subscribers.erase(to.get());
    const bool deserted = it->second.subscribers.empty();
    topics_version_ += deserted ? 1 : 0;
    it = deserted ? topics_.erase(it) : std::next(it);
  }
  if (feed_active_ && !topics_.contains(feed_name)) {
    feed_active_ = false; // nobody is told; the next who follows it begins anew
    order_ = {};
    ++feed_round_;
  }
}

// -- once in a while --------------------------------------------------------------------

void live_hub::run() {
  auto next_check = time_.steady() + options_.check_every;
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    changed_.wait_for(lock,
                      std::min<std::chrono::milliseconds>(options_.progress_every, wake_every));
    if (stopping_)
      return;
    auto behind = std::exchange(behind_, {});
    lock.unlock();
    for (auto& [name, who] : behind)
      replay(name, who);
    repair_some();
    send_owed_states();
    lock.lock();
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

void live_hub::check_heads() {
  std::uint64_t round = 0;
  {
    std::unique_lock lock{mutex_};
    round = feed_round_;
  }
  db_.heads(
      [this, round, alive = std::weak_ptr<bool>(alive_)](outcome<std::vector<shard_head>> heads) {
        auto still = alive.lock();
        auto* all = std::get_if<std::vector<shard_head>>(&heads);
        if (!still || all == nullptr)
          return;
        std::vector<std::pair<shard_id, std::uint64_t>> behind;
        {
          std::unique_lock lock{mutex_};
          if (round != feed_round_)
            return;
          start_feed(*all);
          for (auto& head : *all)
            if (order_.position(head.shard) < head.position)
              behind.emplace_back(head.shard, order_.position(head.shard));
        }
        for (auto [shard, after] : behind)
          fetch_hole(shard, after, round);
      });
}

/// Now it is known where the feed stands: who follows it from now on is placed there.
void live_hub::start_feed(const std::vector<shard_head>& heads) {
  if (order_.started(0))
    return;
  for (auto& head : heads)
    order_.start_at(head.shard, head.position);
  for (auto& [key, who] : topics_[feed_name].subscribers)
    if (std::exchange(who->unplaced, false)) {
      who->positions = order_.token();
      if (auto placed = std::exchange(who->on_placed, nullptr))
        placed();
    }
  for (auto& head : heads)
    order_.flush(head.shard, [this](const live_event& e) { to_topic(feed_name, e); });
}

void live_hub::fetch_hole(shard_id shard, std::uint64_t after, std::uint64_t round) {
  db_.journal(
      shard, after, replay_page,
      [this, round, alive = std::weak_ptr<bool>(alive_)](outcome<std::vector<journal_row>> rows) {
        auto still = alive.lock();
        auto* page = std::get_if<std::vector<journal_row>>(&rows);
        if (!still || page == nullptr)
          return;
        std::unique_lock lock{mutex_};
        if (round != feed_round_)
          return;
        for (auto& row : *page)
          order_.add(event_of(row), [this](const live_event& e) { to_topic(feed_name, e); });
      });
}

} // namespace rahat::live
