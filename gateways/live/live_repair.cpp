#include "gateways/live/live_hub.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <algorithm>
#include <array>

/// What other nodes announced may be missed: their links end, their shards move. The hub knows
/// where each topic stands, and then reads the history of those concerned, a few at a time.
namespace rahat::live {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::chrono::seconds look_limit{5};

} // namespace

followed_topics live_hub::topics(std::size_t most) const {
  followed_topics out;
  std::unique_lock lock{mutex_};
  for (auto& [name, t] : topics_) {
    if (t.subscribers.empty())
      continue;
    if (t.entity)
      out.entities.push_back(*t.entity);
    else
      out.feed = true;
    if (out.entities.size() > most) {
      out.entities.clear();
      out.feed = true;
      return out;
    }
  }
  return out;
}

/// Somebody follows the topic already: whoever joins him hears what he hears.
bool live_hub::stands_with_others(const topic& t, subscriber& who) const {
  for (auto& [key, other] : t.subscribers)
    if (other->placed && !other->replaying) {
      who.placed = true;
      who.seq = other->seq;
      return true;
    }
  return false;
}

/// Without its place the hub could not tell, later, what the subscriber has missed: the first event
/// that arrives from another node need not be the first that happened.
void live_hub::place(const std::string& name, const entity_ref& entity,
                     const std::shared_ptr<subscriber>& who, std::function<void()> placed) {
  all_.look(entity, time_.steady() + look_limit,
            [this, alive = std::weak_ptr<bool>(alive_), name, who,
             placed = std::move(placed)](std::variant<entity_view, error> view) {
              auto still = alive.lock();
              if (!still)
                return;
              auto* now = std::get_if<entity_view>(&view);
              auto* none = std::get_if<error>(&view);
              if (none != nullptr && none->code != errc::not_found)
                return cannot_follow(name, who, "this entity cannot be reached now: connect again");
              {
                std::unique_lock lock{mutex_};
                who->seq = now != nullptr ? now->version : 0;
                who->placed = true;
              }
              with_room(who, [this, name, who, placed] {
                placed();
                if (hand_over_held(name, who))
                  replay(name, who);
              });
            });
}

void live_hub::missed(const std::vector<shard_id>& shards) {
  if (subscriptions_.load(std::memory_order_relaxed) == 0)
    return;
  std::array<bool, shard_count> is_meant{};
  for (auto shard : shards)
    is_meant[shard] = true;
  std::unique_lock lock{mutex_};
  for (auto& [name, t] : topics_)
    if (t.entity && is_meant[shard_of(*t.entity)])
      doubt(name, t);
}

void live_hub::missed(const std::vector<entity_ref>& entities) {
  std::unique_lock lock{mutex_};
  for (auto& entity : entities)
    if (auto found = topics_.find(entity.str()); found != topics_.end())
      doubt(found->first, found->second);
}

/// Those who are being replayed to read the journal themselves, once more than they would have. The
/// lock is held.
void live_hub::doubt(const std::string& name, topic& t) {
  for (auto& [key, who] : t.subscribers)
    who->unsure = who->replaying;
  if (is_doubted_.insert(name).second)
    doubted_.push_back(name);
  changed_.notify_one();
}

/// By our own thread: the store may call back at once.
void live_hub::repair_some() {
  std::vector<std::pair<entity_ref, std::uint64_t>> due;
  {
    std::unique_lock lock{mutex_};
    constexpr auto cost_us = second_us / repairs_per_second;
    const auto now = time_.steady();
    const auto earned =
        std::chrono::duration_cast<std::chrono::microseconds>(now - repair_earned_at_).count();
    repair_earned_at_ = now;
    repair_allowance_us_ = std::min(repair_allowance_us_ + std::max<std::int64_t>(earned, 0),
                                    max_repairs_at_once * cost_us);
    while (!doubted_.empty() && repair_allowance_us_ >= cost_us &&
           repairs_under_way_ < max_repairs_at_once) {
      auto name = std::move(doubted_.front());
      doubted_.pop_front();
      is_doubted_.erase(name);
      auto found = topics_.find(name);
      if (found == topics_.end() || !found->second.entity)
        continue;
      if (auto after = repair_from(found->second)) {
        due.emplace_back(*found->second.entity, *after);
        repair_allowance_us_ -= cost_us;
        ++repairs_under_way_;
      }
    }
  }
  for (auto& [entity, after] : due)
    repair(entity.str(), entity, after);
}

/// Where the last of the topic's subscribers stands.
std::optional<std::uint64_t> live_hub::repair_from(const topic& t) const {
  std::optional<std::uint64_t> from;
  for (auto& [key, who] : t.subscribers)
    if (who->placed && !who->replaying)
      from = std::min(from.value_or(who->seq), who->seq);
  return from;
}

void live_hub::repair(const std::string& name, const entity_ref& entity, std::uint64_t after) {
  db_.history(
      entity, after, replay_page,
      [this, alive = std::weak_ptr<bool>(alive_), name](outcome<std::vector<journal_row>> rows) {
        if (auto still = alive.lock())
          repaired(name, rows);
      });
}

void live_hub::repaired(const std::string& name, const outcome<std::vector<journal_row>>& rows) {
  std::unique_lock lock{mutex_};
  --repairs_under_way_;
  auto found = topics_.find(name);
  if (stopping_ || found == topics_.end())
    return;
  auto* page = std::get_if<std::vector<journal_row>>(&rows);
  if (page == nullptr)
    return doubt(name, found->second); // until the journal can be read
  for (auto& row : *page)
    to_topic(name, event_of(row));
  if (page->size() == replay_page)
    doubt(name, found->second);
}

/// Events came without their documents: those who were sent them are told the present one.
void live_hub::send_owed_states() {
  std::vector<std::pair<std::string, entity_ref>> due;
  {
    std::unique_lock lock{mutex_};
    for (auto& name : std::exchange(states_owed_, {})) {
      auto found = topics_.find(name);
      if (found != topics_.end() && found->second.entity)
        due.emplace_back(name, *found->second.entity);
    }
  }
  for (auto& [name, entity] : due)
    all_.look(entity, time_.steady() + look_limit,
              [this, alive = std::weak_ptr<bool>(alive_), name = name,
               at = rfc3339(time_.now_us())](std::variant<entity_view, error> view) {
                if (auto still = alive.lock())
                  send_owed_state(name, view, at);
              });
}

void live_hub::send_owed_state(const std::string& name,
                               const std::variant<entity_view, error>& view,
                               const std::string& at) {
  std::unique_lock lock{mutex_};
  auto found = topics_.find(name);
  if (stopping_ || found == topics_.end())
    return;
  auto* now = std::get_if<entity_view>(&view);
  if (now == nullptr) {
    if (std::get<error>(view).code != errc::not_found) // there is no document
      states_owed_.insert(name);                       // with the next waking
    return;
  }
  const auto text = make_event(name, "", "state", at, *now->json);
  std::vector<sink*> gone;
  for (auto& [key, who] : found->second.subscribers) {
    if (!who->owed_state || who->seq > now->version) // the next look sees the later one
      continue;
    who->owed_state = false;
    if (!who->to->push(text))
      gone.push_back(key);
  }
  for (auto* key : gone)
    drop(found->second, key);
}

} // namespace rahat::live
