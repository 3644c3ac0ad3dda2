#include "tests/unit/live/fixture.hpp"

namespace rahat::live::test {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> tokens(const std::vector<got>& frames) {
  std::vector<std::string> out;
  for (auto& g : frames)
    if (!g.token.empty())
      out.push_back(g.token);
  return out;
}

/// Versions of one entity in feed frames, live ones and replayed ones alike.
std::vector<std::string> versions(const listener& of, const entity_ref& entity) {
  std::vector<std::string> out;
  for (auto& g : of.all()) {
    auto head = R"({"entity":")" + entity.str() + R"(","version":)";
    if (g.data.starts_with(head))
      out.push_back(g.data.substr(head.size(), g.data.find(',', head.size()) - head.size()));
  }
  return out;
}

using names = std::vector<std::string>;

// -- topics

TEST_F(hub_test, topics_that_do_not_exist_are_refused_with_a_sentence) {
  auto who = std::make_shared<listener>();
  for (auto topic : {"", "feeds", "project", "project/", "project/1", "secret/",
                     "vendor/00000000-0000-0000-0000-000000000001"}) {
    auto wrong = subscribe(topic, who);
    ASSERT_TRUE(wrong) << topic;
    EXPECT_EQ(wrong->code, errc::invalid_input);
    EXPECT_EQ(wrong->field, "subscribe");
  }
  auto named = entity(1).str();
  for (auto [topic, after] : std::vector<std::pair<std::string, std::string>>{
           {named, "x"}, {named, "-1"}, {named, "1 "}, {"feed", "1"}, {"feed", "f1.!"}}) {
    auto wrong = subscribe(topic, who, after);
    ASSERT_TRUE(wrong) << topic << ' ' << after;
    EXPECT_EQ(wrong->field, "after");
  }
  happen(entity(1));
  EXPECT_TRUE(who->all().empty());
}

TEST_F(hub_test, an_entity_topic_says_its_events_and_no_others) {
  auto who = std::make_shared<listener>();
  ASSERT_FALSE(subscribe(entity(1).str(), who));
  happen(entity(1), "project.opened");
  happen(entity(2), "project.opened");
  happen(entity(1), "project.closed");
  auto frames = who->all();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].topic, entity(1).str());
  EXPECT_EQ(frames[0].type, "project.opened");
  EXPECT_EQ(frames[0].data, R"({"version":1})");
  EXPECT_EQ(tokens(frames), (names{"1", "2"}));
}

TEST_F(hub_test, who_has_left_hears_nothing) {
  auto who = std::make_shared<listener>();
  subscribe(entity(1).str(), who);
  subscribe("feed", who);
  settle();
  hub->leave(who);
  happen(entity(1));
  EXPECT_TRUE(who->all().empty());
}

TEST_F(hub_test, a_slow_client_is_let_go_and_the_others_hear_on) {
  auto slow = std::make_shared<listener>(2);
  auto quick = std::make_shared<listener>();
  subscribe(entity(1).str(), slow);
  subscribe(entity(1).str(), quick);
  for (int i = 0; i < 5; ++i)
    happen(entity(1));
  EXPECT_EQ(slow->all().size(), 2U);
  EXPECT_EQ(quick->all().size(), 5U);
}

TEST_F(hub_test, subscriptions_are_bounded) {
  hub->stop();
  options.max_subscriptions = 2;
  hub = std::make_unique<live_hub>(options, *db, all, time);
  auto who = std::make_shared<listener>();
  EXPECT_FALSE(subscribe(entity(1).str(), who));
  EXPECT_FALSE(subscribe(entity(2).str(), who));
  auto wrong = subscribe(entity(3).str(), who);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->code, errc::overloaded);
  hub->leave(who);
  EXPECT_FALSE(subscribe(entity(3).str(), who)); // the places are given back
}

TEST_F(hub_test, a_hub_that_stops_takes_nobody) {
  hub->stop();
  auto wrong = subscribe(entity(1).str(), std::make_shared<listener>());
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->code, errc::not_ready);
}

// -- resuming an entity topic

TEST_F(hub_test, an_entity_topic_resumes_after_its_token_and_ends_with_the_state) {
  for (int i = 0; i < 4; ++i)
    happen(entity(1));
  auto who = std::make_shared<listener>();
  subscribe(entity(1).str(), who, "2");
  settle();
  EXPECT_EQ(tokens(who->all()), (names{"3", "4"}));
  ASSERT_EQ(who->of_type("state").size(), 1U);
  EXPECT_TRUE(who->of_type("state")[0].token.empty());
  happen(entity(1));
  EXPECT_EQ(tokens(who->all()), (names{"3", "4", "5"}));
}

TEST_F(hub_test, a_token_ahead_of_the_entity_is_told_and_hides_nothing) {
  for (int i = 0; i < 2; ++i)
    happen(entity(1));
  auto who = std::make_shared<listener>();
  subscribe(entity(1).str(), who, "999");
  settle();
  ASSERT_EQ(who->of_type("error").size(), 1U);
  happen(entity(1));
  EXPECT_EQ(tokens(who->all()), (names{"3"}));
}

TEST_F(hub_test, what_happens_while_an_entity_topic_is_replayed_comes_once_and_afterwards) {
  auto named = entity(1);
  for (int i = 0; i < 3; ++i)
    happen(named);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who, "1"); // the journal has not been read yet
  happen(named);                    // seen by the replay and announced
  happen(named);
  settle();
  happen(named);
  EXPECT_EQ(tokens(who->all()), (names{"2", "3", "4", "5", "6"}));
}

TEST_F(hub_test, a_long_replay_goes_page_by_page) {
  auto named = entity(1);
  for (int i = 0; i < 1'203; ++i)
    commit_event(named);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who, "0");
  settle();
  auto all_tokens = tokens(who->all());
  ASSERT_EQ(all_tokens.size(), 1'203U);
  for (std::size_t i = 0; i < all_tokens.size(); ++i)
    ASSERT_EQ(all_tokens[i], std::to_string(i + 1));
}

TEST_F(hub_test, a_hole_in_an_entity_topic_is_fetched_before_it_goes_on) {
  auto named = entity(1);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who);
  happen(named);
  commit_event(named); // its host was ended before it could announce it
  happen(named);
  ASSERT_TRUE(in_time([&] { return who->of_type("project.noted").size() == 3; }, 0ms));
  EXPECT_EQ(tokens(who->all()), (names{"1", "2", "3"}));
}

TEST_F(hub_test, a_hole_before_progress_is_fetched_too) {
  auto named = entity(1);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who);
  happen(named);
  commit_event(named, "project.lost");
  happen(named, "project.counted");
  ASSERT_TRUE(in_time([&] { return !who->of_type("project.lost").empty(); }, 0ms));
  EXPECT_EQ(tokens(who->all()), (names{"1", "2"}));
}

TEST_F(hub_test, a_journal_that_cannot_be_read_is_told_not_hidden) {
  happen(entity(1));
  db->faults().down();
  auto who = std::make_shared<listener>();
  subscribe(entity(1).str(), who, "0");
  settle();
  db->faults().heal();
  ASSERT_EQ(who->of_type("error").size(), 1U);
  EXPECT_NE(who->of_type("error")[0].data.find("resume after the last token"), std::string::npos);
  happen(entity(1));
  EXPECT_EQ(who->all().size(), 1U); // and nothing with a gap before it
}

/// A link to another node ends while the journal is being read: what it would have brought may have
/// landed after that read.
TEST_F(hub_test, what_is_missed_during_a_replay_is_read_as_well) {
  auto named = entity(1);
  for (int i = 0; i < 2; ++i)
    happen(named);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who, "0");
  ASSERT_TRUE(db->run_one()); // the journal has been read, the hub has not heard it
  hub->missed(std::vector<shard_id>{shard_of(named)});
  commit_event(named);
  settle();
  EXPECT_EQ(tokens(who->all()), (names{"1", "2", "3"}));
}

TEST_F(hub_test, what_is_missed_is_read_again_until_the_journal_answers) {
  auto named = entity(1);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who);
  happen(named);
  commit_event(named);
  db->faults().down();
  const auto until = std::chrono::steady_clock::now() + 20s;
  hub->missed(std::vector<entity_ref>{named});
  while (db->idle() && std::chrono::steady_clock::now() < until) {
    time.advance_us(1'000);
    std::this_thread::yield();
  }
  settle(); // it fails
  EXPECT_EQ(tokens(who->all()), (names{"1"}));
  db->faults().heal();
  ASSERT_TRUE(in_time([&] { return !who->of_type("state").empty(); }, 10ms));
  EXPECT_EQ(tokens(who->all()), (names{"1", "2"}));
}

TEST_F(hub_test, progress_that_was_missed_is_passed_over) {
  auto named = entity(1);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who);
  happen(named);
  commit_event(named, "project.counted");
  commit_event(named);
  hub->missed(std::vector<shard_id>{shard_of(named)});
  ASSERT_TRUE(in_time([&] { return !who->of_type("state").empty(); }, 100ms));
  EXPECT_EQ(tokens(who->all()), (names{"1", "3"}));
  EXPECT_TRUE(who->of_type("progress").empty());
}

TEST_F(hub_test, what_it_follows_is_known_and_changes_are_counted) {
  auto first = std::make_shared<listener>();
  auto second = std::make_shared<listener>();
  const auto before = hub->topics_version();
  EXPECT_TRUE(hub->topics(10).entities.empty());
  subscribe(entity(1).str(), first);
  const auto one = hub->topics_version();
  EXPECT_GT(one, before);
  subscribe(entity(1).str(), second);
  EXPECT_EQ(hub->topics_version(), one);
  EXPECT_EQ(hub->topics(10).entities, std::vector<entity_ref>{entity(1)});
  hub->leave(first);
  EXPECT_EQ(hub->topics_version(), one);
  subscribe(entity(2).str(), second);
  EXPECT_FALSE(hub->topics(2).feed);
  EXPECT_TRUE(hub->topics(1).feed);
  EXPECT_TRUE(hub->topics(1).entities.empty());
  hub->leave(second);
  EXPECT_TRUE(hub->topics(10).entities.empty());
  EXPECT_GT(hub->topics_version(), one);
}

// -- the feed

TEST_F(hub_test, the_feed_says_the_events_of_a_shard_in_order_of_position) {
  auto who = std::make_shared<listener>();
  subscribe("feed", who);
  settle();
  auto a = entity_in(9);
  auto b = entity_in(9, 1'000);
  auto first = commit_event(a, "project.first");
  auto second = commit_event(b, "project.second");
  auto third = commit_event(a, "project.third");
  hub->publish(third);
  hub->publish(second);
  EXPECT_TRUE(who->all().empty());
  hub->publish(first);
  EXPECT_EQ(who->types(), (names{"project.first", "project.second", "project.third"}));
}

TEST_F(hub_test, the_feed_fetches_what_nobody_announced) {
  auto who = std::make_shared<listener>();
  subscribe("feed", who);
  settle();
  auto named = entity(1);
  commit_event(named, "project.lost");
  happen(named, "project.told");
  EXPECT_TRUE(who->all().empty());
  ASSERT_TRUE(in_time([&] { return who->all().size() == 2; }, 100ms));
  EXPECT_EQ(who->types(), (names{"project.lost", "project.told"}));
}

TEST_F(hub_test, the_feed_resumes_after_a_token_without_gap_or_double) {
  auto first = std::make_shared<listener>();
  subscribe("feed", first);
  settle();
  for (std::uint8_t n = 1; n <= 20; ++n)
    happen(entity(n % 5));
  auto token = first->last_token();
  ASSERT_FALSE(token.empty());
  hub->leave(first);
  for (std::uint8_t n = 1; n <= 20; ++n)
    happen(entity(n % 7));
  auto second = std::make_shared<listener>();
  ASSERT_FALSE(subscribe("feed", second, token));
  settle();
  for (std::uint8_t n = 1; n <= 10; ++n)
    happen(entity(n % 3));
  for (std::uint8_t n = 0; n < 7; ++n) {
    auto heard = versions(*first, entity(n));
    auto later = versions(*second, entity(n));
    heard.insert(heard.end(), later.begin(), later.end());
    names wanted;
    for (std::size_t v = 1; v <= rows->journal_of(entity(n)).size(); ++v)
      wanted.push_back(std::to_string(v));
    EXPECT_EQ(heard, wanted) << entity(n).str();
  }
}

/// As after the restore of an older copy: what the token has seen is not there.
TEST_F(hub_test, a_token_ahead_of_the_feed_is_told_and_hides_nothing) {
  for (int i = 0; i < 3; ++i)
    happen(entity(1));
  happen(entity(2));
  auto ahead = happen(entity(1));
  feed_token token;
  token.positions[ahead.shard] = ahead.position + 7;
  auto who = std::make_shared<listener>();
  ASSERT_FALSE(subscribe("feed", who, token.text()));
  happen(entity(1)); // before the hub could look
  settle();
  ASSERT_EQ(who->of_type("error").size(), 1U);
  auto told = who->all().front();
  EXPECT_EQ(told.type, "error");
  EXPECT_NE(told.data.find("ahead of the feed"), std::string::npos) << told.data;
  EXPECT_NE(told.data.find(R"("field":"after")"), std::string::npos) << told.data;
  EXPECT_EQ(versions(*who, entity(2)), (names{"1"})); // other shards are replayed as ever
  happen(entity(1));
  EXPECT_EQ(versions(*who, entity(1)).back(), "6");
  auto again = std::make_shared<listener>();
  ASSERT_FALSE(subscribe("feed", again, who->last_token()));
  settle();
  EXPECT_TRUE(again->all().empty()) << "its tokens are places again";
}

TEST_F(hub_test, what_happens_while_the_feed_is_replayed_comes_once_and_afterwards) {
  auto first = std::make_shared<listener>();
  subscribe("feed", first);
  settle();
  auto named = entity(1);
  happen(named);
  auto token = first->last_token();
  happen(named);
  auto second = std::make_shared<listener>();
  subscribe("feed", second, token);
  for (int step = 0; step < 40; ++step) { // the replay goes through the shards meanwhile
    db->run_one();
    if (step % 8 == 0)
      hub->publish(commit_event(named));
  }
  settle();
  names wanted;
  for (std::size_t v = 2; v <= rows->journal_of(named).size(); ++v)
    wanted.push_back(std::to_string(v));
  EXPECT_EQ(versions(*second, named), wanted);
}

/// A client may leave after any frame, also one that was held back while older ones were fetched.
TEST_F(hub_test, every_token_of_the_feed_is_a_place_to_resume) {
  auto first = std::make_shared<listener>();
  subscribe("feed", first);
  settle();
  happen(entity(1));
  auto second = std::make_shared<listener>();
  subscribe("feed", second, first->last_token());
  for (std::uint8_t n = 0; n < 12; ++n) {
    db->run_one();
    happen(entity(n % 4));
  }
  settle();
  auto frames = second->all();
  ASSERT_EQ(frames.size(), 12U);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    auto third = std::make_shared<listener>();
    ASSERT_FALSE(subscribe("feed", third, frames[i].token));
    settle();
    EXPECT_EQ(third->all().size(), frames.size() - 1 - i) << i;
  }
}

// -- progress

TEST_F(hub_test, progress_is_coalesced_has_no_token_and_is_not_replayed) {
  auto named = entity(1);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who);
  happen(named, "project.counted");
  ASSERT_TRUE(in_time([&] { return who->of_type("progress").size() == 1; }, 0ms)); // at once
  for (int i = 1; i < 50; ++i)
    happen(named, "project.counted");
  ASSERT_TRUE(in_time([&] { return who->of_type("progress").size() == 2; }, 100ms));
  auto ticks = who->of_type("progress");
  EXPECT_EQ(ticks[0].data, R"({"version":1})");
  EXPECT_EQ(ticks[1].data, R"({"version":50})");
  EXPECT_TRUE(ticks[0].token.empty());
  EXPECT_TRUE(ticks[1].token.empty());
  happen(named); // the next real event follows without a hole
  EXPECT_EQ(who->last_token(), "51");
  auto later = std::make_shared<listener>();
  subscribe(named.str(), later, "0");
  settle();
  EXPECT_EQ(later->types(), (names{"project.noted"}));
}

TEST_F(hub_test, progress_comes_at_most_once_in_its_time) {
  auto named = entity(1);
  auto who = std::make_shared<listener>();
  subscribe(named.str(), who);
  time.advance_us(1'000'000);
  happen(named, "project.counted");
  ASSERT_TRUE(in_time([&] { return who->of_type("progress").size() == 1; }, 0ms));
  for (int i = 0; i < 20; ++i) {
    time.advance_us(4'000); // 80 ms in all
    happen(named, "project.counted");
  }
  EXPECT_EQ(who->of_type("progress").size(), 1U);
  ASSERT_TRUE(in_time([&] { return who->of_type("progress").size() == 2; }, 100ms));
  EXPECT_EQ(who->of_type("progress")[1].data, R"({"version":21})");
}

} // namespace
} // namespace rahat::live::test
