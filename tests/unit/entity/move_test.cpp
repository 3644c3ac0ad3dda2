// A shard that goes to another node: what was begun is finished, nothing new is begun.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

const auto one = probe_ref(1);
const auto two = probe_ref(2);

TEST(move, an_empty_shard_is_handed_over_at_once) {
  stage s;
  int left = 0;
  s.node->hand_over(shard_of(one), [&] { ++left; });
  EXPECT_EQ(left, 1);
  EXPECT_EQ(s.add(one)->code(), "moved");
  EXPECT_EQ(s.look(one)->code(), "moved");
  auto other = s.add(two);
  s.settle();
  EXPECT_EQ(other->code(), "ok");
}

TEST(move, what_was_accepted_is_answered_before_the_shard_goes) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    stage s(seed);
    std::vector<hearing> all;
    for (int i = 0; i < 20; ++i)
      all.push_back(i % 4 == 0 ? s.look(one) : s.add(one));
    for (auto n = s.dice() % 20; n > 0; --n)
      s.step();
    int left = 0;
    std::size_t answered = 0;
    s.node->hand_over(shard_of(one), [&] {
      ++left;
      for (auto& h : all)
        answered += static_cast<std::size_t>(h->times);
    });
    EXPECT_EQ(s.add(one)->code(), "moved");
    s.settle();
    EXPECT_EQ(left, 1);
    EXPECT_EQ(answered, all.size());
    EXPECT_EQ(s.commits(one), 15u);
    EXPECT_EQ(s.node->resident_count(), 0u);
    EXPECT_EQ(s.counts.mailbox, 0);
  }
}

TEST(move, own_work_pauses_with_the_shard_and_goes_on_with_its_next_owner) {
  for (int moved_after = 0; moved_after < 60; ++moved_after) {
    SCOPED_TRACE(moved_after);
    stage s(static_cast<std::uint64_t>(moved_after) + 1);
    auto ask = work_of(200, moved_after % 2 == 0);
    ask.mutable_work()->set_target(two.id.raw());
    s.ask(one, ask, "k");
    for (int i = 0; i < moved_after; ++i)
      s.step();
    bool left = false;
    s.node->hand_over(shard_of(one), [&] { left = true; });
    s.settle();
    ASSERT_TRUE(left);
    ASSERT_LT(s.commits(one), 100u) << "it did not wait for all of its work";
    s.node->open(shard_of(one));
    s.wake();
    s.ask(one, ask, "k"); // what the mover's client does: the same request once more
    s.pass(10s);
    EXPECT_NE(s.view(one).find(R"("worked":200)"), std::string::npos) << s.view(one);
    EXPECT_EQ(s.commits(one), 201u);
  }
}

TEST(move, a_timer_that_falls_due_meanwhile_fires_at_the_next_owner_once) {
  stage s;
  s.ask(one, timer_of("bell", s.time.now_us() + 1'000), s.fresh_key());
  s.settle();
  bool left = false;
  s.add(one);
  s.node->hand_over(shard_of(one), [&] { left = true; });
  s.pass(1s);
  ASSERT_TRUE(left);
  EXPECT_EQ(s.timers(one).size(), 1u);
  s.node->open(shard_of(one));
  s.wake();
  s.pass(1s);
  EXPECT_TRUE(s.timers(one).empty());
}

TEST(move, dropping_ends_the_wait_for_a_host_that_does_not_finish) {
  stage s;
  s.add(one);
  s.settle();
  s.db->faults().down();
  auto stuck = s.add(one);
  int left = 0;
  s.node->hand_over(shard_of(one), [&] { ++left; });
  s.hosts.run_all();
  EXPECT_EQ(left, 0);
  s.node->drop(shard_of(one));
  EXPECT_EQ(left, 1);
  s.hosts.run_all();
  EXPECT_EQ(stuck->code(), "moved");
  s.db->faults().heal();
  s.settle();
  EXPECT_EQ(left, 1);
}

/// What leaves for other nodes.
struct far_away final : elsewhere {
  void tell(const entity_ref&, const entity_ref& target, std::uint64_t n,
            const std::string& body) override {
    told.emplace_back(target, n);
    bodies.push_back(body);
  }
  void acknowledge(const entity_ref& source, const entity_ref&, std::uint64_t n) override {
    acknowledged.emplace_back(source, n);
  }
  std::vector<std::pair<entity_ref, std::uint64_t>> told, acknowledged;
  std::vector<std::string> bodies;
};

TEST(move, messages_and_acknowledgements_go_where_the_shard_went) {
  far_away beyond;
  stage s;
  s.beyond = &beyond;
  s.crash(); // starts again, with neighbours
  s.node->hand_over(shard_of(two), [] {});
  s.tell(one, two);
  s.settle();
  ASSERT_EQ(beyond.told.size(), 1u);
  EXPECT_EQ(beyond.told[0].first, two);
  EXPECT_EQ(beyond.told[0].second, 1u);
  EXPECT_FALSE(s.node->deliver(one, two, 1, "never forwarded twice"));
  EXPECT_EQ(beyond.told.size(), 1u);

  s.node->open(shard_of(two));
  s.node->hand_over(shard_of(one), [] {});
  s.settle();
  ASSERT_TRUE(s.node->deliver(one, two, 1, beyond.bodies[0]));
  s.settle();
  ASSERT_EQ(beyond.acknowledged.size(), 1u);
  EXPECT_EQ(beyond.acknowledged[0].first, one);
  EXPECT_EQ(beyond.acknowledged[0].second, 1u);
}

class parked_and_moved : public testing::Test {
protected:
  void SetUp() override {
    s.add(two, 1);
    s.settle();
    s.tell(one, two, 9);
    s.db->faults().poison(two);
    s.pass(59s);
    ASSERT_EQ(s.look(two)->code(), "parked");
    s.db->faults().heal();
  }

  void go() {
    s.node->hand_over(shard_of(two), [] {});
    s.settle();
  }

  std::string noted() { return s.view(two); }
  static constexpr const char* told = R"("noted":1,"note_sum":9)";

  stage s;
};

TEST_F(parked_and_moved, what_the_list_says_holds_when_the_shard_comes_back) {
  go();
  s.node->parked_are(shard_of(two), {two});
  s.node->open(shard_of(two));
  EXPECT_EQ(s.look(two)->code(), "parked");
  go(); // and is released at its other owner
  s.node->parked_are(shard_of(two), {});
  s.node->open(shard_of(two));
  s.pass(10s);
  EXPECT_NE(noted().find(told), std::string::npos) << noted();
}

TEST_F(parked_and_moved, a_release_of_who_is_served_elsewhere_does_nothing) {
  go();
  s.node->release(two);
  EXPECT_FALSE(s.node->next_tick() && *s.node->next_tick() <= s.time.steady())
      << "it must not try again and again to start it";
  s.node->parked_are(shard_of(two), {two});
  s.node->open(shard_of(two));
  EXPECT_EQ(s.look(two)->code(), "parked");
}

TEST_F(parked_and_moved, a_release_that_was_lost_is_made_up_for) {
  s.node->still_parked({two});
  EXPECT_EQ(s.look(two)->code(), "parked");
  s.node->still_parked({}); // its row went at another node
  s.pass(10s);
  EXPECT_NE(noted().find(told), std::string::npos) << noted();
}

TEST_F(parked_and_moved, who_was_parked_just_now_need_not_be_listed_yet) {
  s.node->mark_parked(two);
  s.node->still_parked({});
  EXPECT_EQ(s.look(two)->code(), "parked");
}

} // namespace
} // namespace rahat
