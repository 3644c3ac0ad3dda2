#include "gateways/live/gateway.hpp"
#include "gateways/live/prometheus_live.hpp"
#include "gateways/live/session.hpp"

#include "tests/unit/live/fixture.hpp"
#include "tests/unit/live/socket_client.hpp"

#include <gmock/gmock.h>
#include <prometheus/metric_family.h>
#include <deque>
#include <map>

/// A replay goes at the pace of the client that it is for.
namespace rahat::live::test {
namespace {

using http::test::eventually;
using testing::ElementsAre;
using testing::IsEmpty;

std::shared_ptr<const event> some_event() {
  return make_event("feed", "1", "ticked", "2026-01-01T00:00:00Z", "{}");
}

// -- the queue of one connection ----------------------------------------------------------------

class queue : public testing::Test {
protected:
  /// Asks for room under a name; what is granted stands in `granted`.
  void ask(const std::string& name, std::size_t most) {
    box.reserve(most, [this, name](std::size_t places) {
      granted.push_back(name + ' ' + std::to_string(places));
    });
  }
  void push(int events) {
    for (int n = 0; n < events; ++n)
      ASSERT_TRUE(box.push(some_event()));
  }
  void pop(int events) {
    for (int n = 0; n < events; ++n)
      ASSERT_TRUE(box.pop());
  }

  live_probe probe;
  outbox box{100, [] {}, probe};
  std::vector<std::string> granted;
};

TEST_F(queue, gives_replays_at_most_half_of_itself) {
  ask("a", 500);
  EXPECT_THAT(granted, ElementsAre("a 50"));
  ask("b", 500);
  EXPECT_EQ(granted.size(), 1u) << "what a got is not full yet, but it is a's";
  push(50);
  box.give_back(50);
  EXPECT_EQ(granted.size(), 1u);
  pop(24);
  EXPECT_EQ(granted.size(), 1u) << "26 wait";
  pop(1);
  EXPECT_THAT(granted, ElementsAre("a 50", "b 25"));
}

TEST_F(queue, serves_those_who_ask_in_turn) {
  ask("a", 50);
  ask("b", 10);
  ask("c", 500);
  box.give_back(50);
  EXPECT_THAT(granted, ElementsAre("a 50", "b 10", "c 40"));
}

TEST_F(queue, leaves_the_other_half_to_what_happens_now) {
  ask("a", 500);
  push(100);
  EXPECT_FALSE(box.push(some_event())) << "only what happens now can overflow it";
  ask("b", 1);
  box.give_back(50);
  EXPECT_EQ(granted.size(), 1u) << "nobody is let in after that";
}

TEST_F(queue, forgets_who_waits_when_its_client_has_gone) {
  auto held = std::make_shared<int>(7);
  ask("a", 50);
  box.reserve(50, [held](std::size_t) { ADD_FAILURE(); });
  EXPECT_EQ(held.use_count(), 2);
  box.close();
  EXPECT_EQ(held.use_count(), 1) << "it may hold the queue itself";
  box.give_back(50);
}

TEST_F(queue, lets_replays_through_however_small_it_is) {
  outbox tiny{1, [] {}, probe};
  int times = 0;
  std::function<void(std::size_t)> again = [&](std::size_t places) {
    ASSERT_EQ(places, 1u);
    ASSERT_TRUE(tiny.push(some_event()));
    tiny.give_back(1);
    if (++times < 5)
      tiny.reserve(500, again);
  };
  tiny.reserve(500, again);
  for (int n = 0; n < 5; ++n)
    ASSERT_TRUE(tiny.pop()) << n;
  EXPECT_EQ(times, 5);
}

// -- the hub ------------------------------------------------------------------------------------

/// A sink that gives room when the test says so, and fails the test when more is pushed.
class paced_listener final : public sink {
public:
  bool push(std::shared_ptr<const event> what) override {
    frames.push_back(parse(what->frame));
    if (!frames.back().token.empty() && free-- == 0)
      ADD_FAILURE() << "pushed without room: " << what->frame;
    return true;
  }
  void reserve(std::size_t, std::function<void(std::size_t)> then) override {
    waiting.push_back(std::move(then));
  }
  void give_back(std::size_t) override {}

  void make_room(std::size_t places) {
    auto next = std::move(waiting.at(0));
    waiting.pop_front();
    free = places;
    next(places);
  }

  std::size_t free = 0;
  std::deque<std::function<void(std::size_t)>> waiting;
  std::vector<got> frames;
};

std::vector<std::string> tokens(const std::vector<got>& frames) {
  std::vector<std::string> out;
  for (auto& g : frames)
    if (!g.token.empty())
      out.push_back(g.token);
  return out;
}

std::vector<std::string> numbers(int first, int last) {
  std::vector<std::string> out;
  for (int n = first; n <= last; ++n)
    out.push_back(std::to_string(n));
  return out;
}

TEST_F(hub_test, reads_the_journal_only_as_far_as_there_is_room) {
  for (int n = 0; n < 25; ++n)
    commit_event(entity(1));
  auto who = std::make_shared<paced_listener>();
  hub->subscribe({"asha", "reader"}, entity(1).str(), "0", who, [] {});
  settle();
  EXPECT_THAT(who->frames, IsEmpty());
  for (int page = 1; page <= 3; ++page) {
    ASSERT_EQ(who->waiting.size(), 1u) << page;
    who->make_room(8);
    settle();
    EXPECT_EQ(tokens(who->frames), numbers(1, 8 * page));
  }
  who->make_room(8);
  settle();
  EXPECT_EQ(tokens(who->frames), numbers(1, 25));
  EXPECT_THAT(who->waiting, IsEmpty());
  EXPECT_EQ(who->frames.back().type, "state");
}

/// What was held while older ones were read may be more than there is room for.
TEST_F(hub_test, what_happens_during_a_slow_replay_waits_for_room_too) {
  for (int n = 0; n < 3; ++n)
    happen(entity(1));
  auto who = std::make_shared<paced_listener>();
  hub->subscribe({"asha", "reader"}, entity(1).str(), "0", who, [] {});
  constexpr int all = 1'200; // more than is held
  for (int n = 3; n < all; ++n)
    happen(entity(1));
  for (int pages = 0; !who->waiting.empty(); ++pages) {
    ASSERT_LT(pages, 20);
    who->make_room(100);
    settle();
  }
  EXPECT_EQ(tokens(who->frames), numbers(1, all));
  who->free = 1;
  happen(entity(1));
  EXPECT_EQ(tokens(who->frames).back(), std::to_string(all + 1)) << "it follows again";
}

TEST_F(hub_test, the_feed_waits_for_room_too) {
  for (int n = 0; n < 40; ++n)
    commit_event(entity(static_cast<std::uint8_t>(n % 4)));
  auto who = std::make_shared<paced_listener>();
  hub->subscribe({"asha", "reader"}, "feed", feed_token{}.text(), who, [] {});
  settle();
  for (int pages = 0; !who->waiting.empty(); ++pages) {
    ASSERT_LT(pages, 20);
    who->make_room(6);
    settle();
  }
  EXPECT_EQ(tokens(who->frames).size(), 40u);
}

// -- a whole connection --------------------------------------------------------------------------

/// A hub whose store has a thread of its own, behind a gateway that a client speaks to.
class live_pace : public hub_test {
protected:
  live_pace() {
    memory_options how;
    how.take_all_shards = false; // it only reads: the fixture's store writes
    reads_ = std::make_unique<memory_store>(rows, how);
  }

  ~live_pace() override {
    edge_.reset();
    gateway_.reset();
    told->stop();
    reads_.reset();
  }

  std::uint16_t start() {
    told = std::make_unique<live_hub>(options, *reads_, all, time);
    settings.probe = &counted_;
    settings.idle_timeout = http::test::patience;
    auto known = [](std::string_view) { return std::optional(http::caller{"asha", "reader"}); };
    gateway_ = std::make_unique<live_gateway>(settings, known, *told);
    gateway_->start();
    http::server_options o;
    o.upgrade_path = "/v2/live";
    o.on_upgrade = [this](http::upgraded socket) { gateway_->take(std::move(socket)); };
    edge_ = std::make_unique<http::server>(o, http::router({}), known, probe_);
    return edge_->start();
  }

  double queued() {
    for (auto& family : counted_.Collect())
      if (family.name == "rahat_ws_send_queue_messages")
        return family.metric.at(0).gauge.value;
    return -1;
  }

  live_options settings;
  std::unique_ptr<live_hub> told;

private:
  http::silent_probe probe_;
  prometheus_live counted_;
  std::unique_ptr<memory_store> reads_;
  std::unique_ptr<live_gateway> gateway_;
  std::unique_ptr<http::server> edge_;
};

constexpr std::string_view by_header = "Authorization: Bearer t\r\n";

TEST_F(live_pace, a_client_that_takes_its_time_gets_all_of_a_long_replay) {
  // Larger than what the sockets take by themselves, so that a pause of the client is felt.
  const std::string long_type = "project." + std::string(4'000, 'n');
  constexpr int before = 5'000;
  constexpr int all_events = before + 1'200; // more than is held meanwhile
  for (int n = 0; n < before; ++n)
    commit_event(entity(1), long_type);
  socket_client c(start());
  ASSERT_EQ(c.shake(by_header).status, 101u);
  const auto topic = entity(1).str();
  c.say(R"({"subscribe":[")" + topic + R"("],"after":{")" + topic + R"(":"0"}})");
  const auto most = static_cast<double>(settings.max_queued_events) / 2;
  ASSERT_TRUE(eventually([&] { return queued() > most / 2; })) << "the client takes nothing";
  for (int n = before; n < all_events; ++n)
    told->publish(commit_event(entity(1), long_type));
  int next = 1;
  double longest = 0;
  while (next <= all_events) {
    const auto text = c.text();
    ASSERT_FALSE(text.empty()) << "closed after " << next - 1;
    const auto frame = parse(text);
    if (frame.token.empty())
      continue; // "subscribed"
    ASSERT_EQ(frame.token, std::to_string(next++));
    if (next % 100 == 0)
      longest = std::max(longest, queued());
  }
  EXPECT_LE(longest, most + 2) << "with what the gateway says itself";
}

TEST_F(live_pace, several_replays_share_one_small_queue) {
  settings.max_queued_events = 20;
  constexpr int each = 300;
  for (int n = 0; n < each; ++n)
    for (std::uint8_t who = 1; who <= 4; ++who)
      commit_event(entity(who));
  socket_client c(start());
  ASSERT_EQ(c.shake(by_header).status, 101u);
  std::string topics;
  std::string after;
  for (std::uint8_t who = 1; who <= 4; ++who) {
    const auto name = '"' + entity(who).str() + '"';
    topics += (who == 1 ? "" : ",") + name;
    after += (who == 1 ? "" : ",") + name + R"(:"0")";
  }
  c.say(R"({"subscribe":[)" + topics + R"(],"after":{)" + after + "}}");
  std::map<std::string, int> last;
  for (int left = 4 * each; left > 0;) {
    const auto text = c.text();
    ASSERT_FALSE(text.empty()) << "closed with " << left << " left";
    const auto frame = parse(text);
    if (frame.token.empty())
      continue;
    ASSERT_EQ(frame.token, std::to_string(++last[frame.topic]));
    --left;
  }
  EXPECT_EQ(last.size(), 4u);
}

} // namespace
} // namespace rahat::live::test
