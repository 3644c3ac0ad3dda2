#include "gateways/live/feed_order.hpp"

#include <gtest/gtest.h>
#include <random>

namespace rahat::live {
namespace {

live_event at(shard_id shard, std::uint64_t position) {
  live_event e;
  e.shard = shard;
  e.position = position;
  return e;
}

/// An order with what came out of it, as positions of one shard.
struct under_test {
  feed_order order;
  std::vector<std::uint64_t> out;
  feed_order::emit emit = [this](const live_event& e) { out.push_back(e.position); };

  void start(std::uint64_t position, shard_id shard = 3) {
    order.start_at(shard, position);
    order.flush(shard, emit);
  }
  void add(std::uint64_t position, shard_id shard = 3) { order.add(at(shard, position), emit); }
};

TEST(feed_token, comes_back_as_it_went) {
  std::mt19937_64 dice{7};
  for (int round = 0; round < 200; ++round) {
    feed_token token;
    for (auto& position : token.positions)
      if (dice() % 4 == 0)
        position = dice() >> (dice() % 64);
    auto back = feed_token::parse(token.text());
    ASSERT_TRUE(back) << token.text();
    EXPECT_EQ(back->positions, token.positions);
  }
}

TEST(feed_token, of_the_ends_comes_back_too) {
  feed_token token;
  EXPECT_EQ(feed_token::parse(token.text())->positions, token.positions);
  token.positions.front() = 1;
  token.positions.back() = UINT64_MAX;
  EXPECT_EQ(feed_token::parse(token.text())->positions, token.positions);
  token.positions.fill(UINT64_MAX); // the longest one fits what a client may send
  EXPECT_LE(token.text().size(), 8192U);
  EXPECT_EQ(feed_token::parse(token.text())->positions, token.positions);
}

TEST(feed_token, that_is_not_ours_is_refused) {
  feed_token one;
  one.positions[200] = 300;
  auto good = one.text();
  for (std::string text :
       {std::string{}, std::string{"f1"}, std::string{"7"}, "f2" + good.substr(2), good + "!",
        std::string{"f1.AQ"},           // a skip without a position
        std::string{"f1.gA"},           // a number that breaks off
        std::string{"f1.gAIB"},         // 256 shards skipped: none is left
        "f1." + std::string(9000, 'A'), // longer than any of ours
        std::string{"f1.gICAgICAgICAgICAgAE"}, good.substr(0, good.size() - 1)})
    EXPECT_FALSE(feed_token::parse(text)) << text;
}

TEST(feed_order, says_positions_in_order_whatever_order_they_come_in) {
  under_test t;
  t.start(10);
  for (auto position : {13U, 12U, 15U})
    t.add(position);
  EXPECT_TRUE(t.out.empty());
  EXPECT_TRUE(t.order.has_hole(3));
  t.add(11);
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{11, 12, 13}));
  EXPECT_TRUE(t.order.has_hole(3));
  t.add(14);
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{11, 12, 13, 14, 15}));
  EXPECT_FALSE(t.order.has_hole(3));
  EXPECT_EQ(t.order.token().positions[3], 15U);
}

TEST(feed_order, says_nothing_twice) {
  under_test t;
  t.start(0);
  for (auto position : {2U, 2U, 1U, 1U, 2U, 3U, 3U})
    t.add(position);
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(feed_order, shards_do_not_wait_for_each_other) {
  under_test t;
  t.start(0);
  t.start(0, 4);
  t.add(2, 3);
  t.add(1, 4);
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(t.order.token().positions[3], 0U);
  EXPECT_EQ(t.order.token().positions[4], 1U);
}

TEST(feed_order, the_token_never_runs_ahead_of_what_was_said) {
  under_test t;
  std::vector<std::uint64_t> tokens;
  t.start(0);
  auto emit = [&](const live_event&) { tokens.push_back(t.order.token().positions[3]); };
  t.order.add(at(3, 3), emit);
  t.order.add(at(3, 2), emit);
  t.order.add(at(3, 1), emit);
  EXPECT_EQ(tokens, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(feed_order, holds_its_tongue_until_it_knows_where_the_shard_stands) {
  under_test t;
  t.add(6);
  t.add(5);
  EXPECT_TRUE(t.out.empty());
  EXPECT_FALSE(t.order.started(3));
  t.start(4);
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{5, 6}));
  t.start(0); // a second start changes nothing
  EXPECT_EQ(t.order.position(3), 6U);
}

TEST(feed_order, what_was_announced_before_the_start_is_news) {
  under_test t;
  t.add(5);
  t.add(7);
  t.start(7); // the head was read after they had been announced
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{5}));
  EXPECT_LT(t.order.position(3), 7U); // the hub sees that 6 is missing and fetches it
  t.add(6);
  EXPECT_EQ(t.out, (std::vector<std::uint64_t>{5, 6, 7}));
}

TEST(feed_order, what_waits_is_bounded_and_the_journal_brings_the_rest) {
  for (bool started : {false, true}) {
    under_test t;
    if (started)
      t.start(0);
    const auto last = feed_order::max_waiting + 100;
    for (auto position = last; position >= 2; --position)
      t.add(position);
    t.start(last);
    t.add(1);
    EXPECT_EQ(t.out.size(), started ? feed_order::max_waiting + 1 : feed_order::max_waiting);
    for (auto position = t.order.position(3) + 1; position <= last; ++position)
      t.add(position);
    EXPECT_EQ(t.order.position(3), last);
    EXPECT_FALSE(t.order.has_hole(3));
  }
}

} // namespace
} // namespace rahat::live
