#pragma once

#include "gateways/live/feed_order.hpp"
#include "gateways/live/hub.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/entities.hpp"
#include "runtime/ports/live.hpp"
#include "runtime/ports/store.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace rahat::live {

struct hub_options {
  /// Topics are "<kind>/<id>" of these kinds, and "feed".
  std::set<std::string> kinds;
  /// Event types that are told as progress: no token, latest wins, not replayed.
  std::set<std::string> progress_types;
  std::chrono::milliseconds progress_every{100};
  /// Heads of shards are compared with what was announced.
  std::chrono::milliseconds check_every{1'000};
  std::size_t max_subscriptions = 50'000; // beyond: refused as overloaded
  /// Other nodes commit as well: what they announce may be missed, so that the hub has to know
  /// where each topic stands from the start.
  bool clustered = false;
};

/// A row of the journal as an event without its document.
live_event event_of(const journal_row& row);

/// Hands committed events to those who follow their topics. An entity topic resumes by the
/// entity's seq, the feed by a feed_token; holes are fetched from the journal. Thread-safe; costs a
/// commit next to nothing while nobody listens. Protocol: docs/protocols/live.md.
class live_hub final : public hub, public live_listeners {
public:
  live_hub(hub_options options, store& db, entities& all, const clock& time);
  ~live_hub() override;

  // -- live_listeners -------------------------------------------------------------

  /// A commit was announced by its host, here or on another node.
  void publish(const live_event& event) override;

  std::uint64_t topics_version() const override { return topics_version_; }
  followed_topics topics(std::size_t most) const override;

  /// Reads the history of the followed ones, at most `repairs_per_second`. The feed has its heads.
  void missed(const std::vector<shard_id>& shards) override;
  void missed(const std::vector<entity_ref>& entities) override;

  void stop();

  /// The thread, for its owner, who may start it again after a death.
  part as_part();

  // -- hub ----------------------------------------------------------------------
  std::optional<error> subscribe(const http::caller& who, const std::string& topic,
                                 const std::optional<std::string>& after, std::shared_ptr<sink> to,
                                 std::function<void()> placed) override;
  void leave(const std::shared_ptr<sink>& to) override;

private:
  using frame = std::shared_ptr<const event>;

  struct subscriber {
    std::shared_ptr<sink> to;
    std::uint64_t asked_after = 0; // entity topics: the token that the client came with
    std::uint64_t seq = 0;         // entity topics: the last one sent
    bool placed = false;           // entity topics: seq 0 means that nothing has happened yet
    bool unsure = false;           // entity topics: something was missed during the replay
    bool owed_state = false;       // entity topics: was sent an event without its document
    feed_token positions;          // feed: the last one sent of each shard
    bool unplaced = false;         // feed: follows from now on, and now is not known yet
    std::function<void()> on_placed;
    bool replaying = false;       // older ones are being fetched; new ones wait
    std::size_t places = 0;       // how many of these the sink has room for, see sink::reserve
    std::vector<live_event> held; // bounded by max_held
    shard_id shard = 0;           // feed: of the replay
  };

  struct topic {
    std::optional<entity_ref> entity; // none: the feed
    std::map<sink*, std::shared_ptr<subscriber>> subscribers;
    std::optional<live_event> progress; // latest, not yet sent
    std::chrono::steady_clock::time_point progress_sent{};
  };

  static constexpr std::size_t max_held = 1'000;
  static constexpr std::uint32_t replay_page = 500;
  static constexpr std::int64_t repairs_per_second = 1'000;
  static constexpr std::int64_t max_repairs_at_once = 100;

  inline static const std::string feed_name = "feed";

  std::optional<entity_ref> entity_of(const std::string& topic) const;
  void to_topic(const std::string& name, const live_event& event);
  void send(topic& t, const std::string& name, const live_event& event);
  void drop(topic& t, sink* who);
  bool is_progress(const live_event& e) const { return options_.progress_types.contains(e.type); }
  frame frame_of(const std::string& topic, const live_event& event, std::string token) const;
  frame replayed(const std::string& topic, const journal_row& row, std::string token) const;

  // In live_replay.cpp.
  void replay(const std::string& name, const std::shared_ptr<subscriber>& who);
  void with_room(const std::shared_ptr<subscriber>& who, std::function<void()> then);
  void pushed(subscriber& who, std::size_t events);
  template <class GoOn, class Token>
  bool push_page(const std::string& name, const std::vector<journal_row>& page, subscriber& who,
                 GoOn go_on, Token token);
  void read_entity(const std::string& name, const entity_ref& entity,
                   const std::shared_ptr<subscriber>& who);
  void read_feed(const std::shared_ptr<subscriber>& who);
  void cannot_replay(const std::string& name, const std::shared_ptr<subscriber>& who);
  bool hand_over_held(const std::string& name, const std::shared_ptr<subscriber>& who);
  void caught_up(const std::string& name, const std::shared_ptr<subscriber>& who);
  void replay_entity(const std::string& name, entity_ref entity, std::shared_ptr<subscriber> who);
  void replay_feed(std::shared_ptr<subscriber> who);
  void check_token(std::shared_ptr<subscriber> who);
  frame ahead_of(const std::string& name, std::string_view what) const;
  void cannot_follow(const std::string& name, const std::shared_ptr<subscriber>& who,
                     std::string_view sentence);
  void send_state(const std::string& name, const entity_ref& entity,
                  const std::shared_ptr<subscriber>& who);

  bool owes(const std::string& name, const subscriber& who, const live_event& event) const;
  bool follows(const std::string& name, subscriber& who, const live_event& event);
  void fall_behind(const std::string& name, const std::shared_ptr<subscriber>& who,
                   const live_event& event);
  frame frame_for(const std::string& name, const subscriber& who, const live_event& event) const;

  void run();
  void flush_progress();
  void check_heads();
  void start_feed(const std::vector<shard_head>& heads);
  void fetch_hole(shard_id shard, std::uint64_t after, std::uint64_t round);

  // In live_repair.cpp.
  bool stands_with_others(const topic& t, subscriber& who) const;
  void place(const std::string& name, const entity_ref& entity,
             const std::shared_ptr<subscriber>& who, std::function<void()> placed);
  void doubt(const std::string& name, topic& t);
  void repair_some();
  std::optional<std::uint64_t> repair_from(const topic& t) const;
  void repair(const std::string& name, const entity_ref& entity, std::uint64_t after);
  void repaired(const std::string& name, const outcome<std::vector<journal_row>>& rows);
  void send_owed_states();
  void send_owed_state(const std::string& name, const std::variant<entity_view, error>& view,
                       const std::string& at);

  const hub_options options_;
  store& db_;
  entities& all_;
  const clock& time_;
  mutable std::mutex mutex_;
  std::map<std::string, topic> topics_;
  std::atomic<std::uint64_t> topics_version_{1};
  feed_order order_;
  std::atomic<std::size_t> subscriptions_{0};
  bool feed_active_ = false;
  std::uint64_t feed_round_ = 0; // counts the times that the feed began: old reads are ignored
  std::vector<std::pair<std::string, std::shared_ptr<subscriber>>> behind_; // thread_ replays
  std::deque<std::string> doubted_; // topics of which something may have been missed
  std::set<std::string> is_doubted_;
  std::int64_t repairs_under_way_ = 0;
  std::int64_t repair_allowance_us_ = 0; // earned by time, spent on reads
  std::chrono::steady_clock::time_point repair_earned_at_{};
  std::set<std::string> states_owed_; // topics whose followers were sent events without documents
  std::condition_variable changed_;
  bool stopping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true); // guards callbacks of the store
  worker_thread thread_;                                       // last: it uses the rest
};

} // namespace rahat::live
