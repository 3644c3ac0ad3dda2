#include "tests/e2e/follower.hpp"
#include "tests/e2e/running_node.hpp"

#include <deque>
#include <map>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::size_t households = 20'000;
constexpr std::size_t progress_a_second = 10;

class live : public running_node {
protected:
  void SetUp() override {
    if (!node().running())
      node().start();
    slow_down();
    project_ = staff().active_project();
    staff().fund(project_, 100'000'000);
    staff().import(project_, register_csv(households, "L" + std::to_string(++made_)));
    disbursement_ = staff().draft(project_, 100);
    topic_ = "disbursement/" + disbursement_;
  }

  /// Each commit of a disbursement takes at least 20 ms: time to look at it.
  static void slow_down() {
    books().run(R"(
CREATE OR REPLACE FUNCTION test_slow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER test_slow AFTER INSERT ON journal
  FOR EACH ROW WHEN (NEW.kind = 'disbursement') EXECUTE FUNCTION test_slow())");
  }

  /// Until the feed tells of something that was done after the subscription.
  static void wait_for_feed(follower& ear) {
    auto deadline = steady::now() + 20s;
    bool heard = false;
    while (!heard && steady::now() < deadline) {
      staff().maker.post("/v2/vendors", {{"name", "bell"}, {"location", "x"}});
      heard = ear.read_until([](const live_frame& f) { return f.topic == "feed" && f.is_change(); },
                             1s);
    }
    ASSERT_TRUE(heard) << "the feed is silent";
  }

  /// What the journal holds of an entity and is told as an event of its own.
  static std::vector<std::int64_t> told_of(const std::string& entity, std::int64_t after) {
    std::vector<std::int64_t> out;
    auto all = books().text(
        "SELECT coalesce(json_agg(seq ORDER BY seq), '[]') FROM journal WHERE entity = '" + entity +
        "' AND seq > " + std::to_string(after) +
        " AND type NOT IN ('upload.staged',"
        "'upload.batch_done','batch.members_enrolled','batch.lines_locked','batch.chunk_paid',"
        "'disbursement.batch_answered','disbursement.chunk_decided','disbursement.chunk_arrived')");
    const auto numbers = json::parse(all);
    for (auto& n : numbers.as_array())
      out.push_back(n.as_int64());
    return out;
  }

  bool is_end(const live_frame& f, const std::string& topic) const {
    return f.topic == topic && f.type.find("completed") != std::string::npos &&
           (topic != "feed" || text(f.data, "entity") == topic_);
  }

  /// Both topics have told of the end; the two come in no order between them.
  bool hear_the_end(follower& ear) const {
    bool own = false, feed = false;
    return ear.read_until([&](const live_frame& f) {
      own = own || is_end(f, topic_);
      feed = feed || is_end(f, "feed");
      return own && feed;
    });
  }

  void start_paying() const {
    const auto path = "/v2/disbursements/" + disbursement_;
    staff().maker.post(path + "/lock");
    auto digest = text(staff().until(disbursement_, "locked"), "digest");
    staff().checker.post(path + "/approve", {{"digest", digest}});
    staff().maker.post(path + "/pay");
  }

  /// Of a draft: it was asked for and created before anybody listened.
  static constexpr std::int64_t drafted = 2;
  std::string project_, disbursement_, topic_;
  static inline int made_ = 0;
};

TEST_F(live, a_disbursement_is_told_in_order_without_gaps_and_progress_is_slow_enough) {
  follower ear{node(), staff().reader.token()};
  ASSERT_TRUE(ear.accepted());
  EXPECT_EQ(ear.protocol(), "rahat.v2");
  ear.subscribe({topic_, "feed"});
  wait_for_feed(ear);
  start_paying();
  ASSERT_TRUE(hear_the_end(ear));
  staff().until(disbursement_, "completed");

  EXPECT_EQ(ear.versions(topic_), told_of(disbursement_, drafted));
  EXPECT_EQ(ear.versions_in_feed(topic_), told_of(disbursement_, drafted));
  std::map<std::string, std::deque<steady::time_point>> seconds;
  std::size_t ticks = 0;
  for (auto& f : ear.frames) {
    if (f.type != "progress")
      continue;
    ++ticks;
    EXPECT_EQ(f.token, "") << "progress is not replayed";
    auto& last = seconds[f.topic];
    last.push_back(f.came);
    while (last.back() - last.front() > 1s)
      last.pop_front();
    // One more may have been sent at the end of the second before.
    EXPECT_LE(last.size(), progress_a_second + 1) << f.topic;
  }
  EXPECT_GE(ticks, 3U);
}

TEST_F(live, who_comes_back_after_a_kill_misses_nothing_and_hears_nothing_twice) {
  follower before{node(), staff().maker.token()};
  before.subscribe({topic_, "feed"});
  wait_for_feed(before);
  start_paying();
  ASSERT_TRUE(before.read_until(
      [&](const live_frame& f) { return f.topic == topic_ && f.type == "progress"; }));
  node().kill_hard();
  before.drain(200ms);
  ASSERT_TRUE(before.tokens.contains(topic_));
  ASSERT_TRUE(before.tokens.contains("feed"));
  node().start();

  follower after{node(), staff().maker.token()};
  ASSERT_TRUE(after.accepted());
  after.subscribe({topic_, "feed"}, before.tokens);
  ASSERT_TRUE(hear_the_end(after));
  staff().until(disbursement_, "completed");
  auto own = before.versions(topic_), feed = before.versions_in_feed(topic_);
  for (auto n : after.versions(topic_))
    own.push_back(n);
  for (auto n : after.versions_in_feed(topic_))
    feed.push_back(n);
  EXPECT_EQ(own, told_of(disbursement_, drafted));
  EXPECT_EQ(feed, told_of(disbursement_, drafted));
}

TEST_F(live, an_old_token_replays_the_whole_story) {
  staff().pay_out(disbursement_);
  follower ear{node(), staff().maker.token()};
  ear.subscribe({topic_}, {{topic_, "0"}});
  ASSERT_TRUE(ear.read_until([&](const live_frame& f) { return is_end(f, topic_); }));
  EXPECT_EQ(ear.versions(topic_), told_of(disbursement_, 0));
  // ... and ends with how it stands now.
  ASSERT_TRUE(ear.read_until([](const live_frame& f) { return f.type == "state"; }, 10s));
  EXPECT_EQ(text(ear.frames.back().data, "status"), "completed");
}

TEST_F(live, a_node_that_stops_says_goodbye) {
  follower ear{node(), staff().maker.token()};
  ear.subscribe({"feed"});
  ASSERT_TRUE(ear.read_until([](const live_frame& f) { return f.type == "subscribed"; }));
  EXPECT_EQ(node().stop(), 0);
  ear.drain(1s);
  EXPECT_TRUE(ear.ended());
}

} // namespace
} // namespace rahat::test
