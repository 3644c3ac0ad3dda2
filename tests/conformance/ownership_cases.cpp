#include "tests/conformance/suite.hpp"

/// A shard that leaves in order: docs/protocols/moves.md, *give_up*.
namespace rahat::conformance {

namespace {

/// What is named when the shard is released is where its chain ends.
void expect_at_head(const shard_grant& given_up, const shard_head& head) {
  EXPECT_EQ(given_up.shard, head.shard);
  EXPECT_EQ(given_up.epoch, static_cast<std::int64_t>(head.epoch));
  EXPECT_EQ(given_up.head_position, static_cast<std::int64_t>(head.position));
  EXPECT_EQ(given_up.head_hash, head.hash);
}

} // namespace

TEST_P(store_conformance, a_shard_given_up_refuses_what_comes_later) {
  auto h = start(fresh_in(7));
  auto neighbour = start(fresh_in(8));
  land(h, next(h));
  land(h, next(h));
  const auto head = head_of(7);
  expect_at_head(must(give_up(7, head.epoch)), head);

  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::fenced);
  const auto later =
      ask<loaded_entity>([&](auto done) { store().load(h.entity, fresh_incarnation(), 1, done); });
  EXPECT_TRUE(std::holds_alternative<error>(later)) << "a host began in a shard of somebody else";
  EXPECT_TRUE(std::holds_alternative<error>(give_up(7, head.epoch))) << "there is nothing to give";
  EXPECT_EQ(head_of(7).position, head.position);
  land(neighbour, next(neighbour));

  under_test().take_over(7); // it comes back, under another epoch
  auto again = start(h.entity);
  EXPECT_EQ(again.seq, 2u);
  land(again, next(again));
}

TEST_P(store_conformance, giving_up_waits_for_what_is_queued) {
  constexpr std::size_t entities = 8;
  constexpr std::uint64_t commits = 10;
  std::vector<host> hosts;
  for (std::size_t i = 0; i < entities; ++i)
    hosts.push_back(start(fresh_in(7)));
  const auto before = head_of(7);
  for (std::uint64_t n = 0; n < commits; ++n)
    for (auto& h : hosts)
      send(h, next(h));
  const auto given_up = must(give_up(7, before.epoch));
  expect_at_head(given_up, head_of(7));
  EXPECT_EQ(given_up.head_position,
            static_cast<std::int64_t>(before.position + entities * commits));
  for (auto& h : hosts) {
    ASSERT_TRUE(wait_heard(h, commits));
    for (auto& heard : h.ear->all())
      EXPECT_FALSE(heard.refusal) << heard.refusal->message;
  }
}

TEST_P(store_conformance, a_shard_that_came_back_under_another_epoch_is_not_given_up) {
  auto h = start(fresh_in(7));
  const auto former = head_of(7).epoch;
  under_test().fence(7);
  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::fenced);
  EXPECT_TRUE(std::holds_alternative<error>(give_up(7, former))) << "another owner has it";
  under_test().take_over(7);
  EXPECT_TRUE(std::holds_alternative<error>(give_up(7, former))) << "a late word of the former one";
  auto again = start(h.entity);
  land(again, next(again));
}

TEST_P(store_faults, giving_up_finds_out_about_a_batch_in_doubt_first) {
  auto h = start(fresh_in(7));
  const auto epoch = head_of(7).epoch;
  under_test().inject(store_under_test::fault::lose_reply, 1);
  send(h, next(h));
  const auto given_up = must(give_up(7, epoch));
  EXPECT_EQ(given_up.head_position, 1);
  expect_at_head(given_up, head_of(7));
  ASSERT_TRUE(wait_heard(h, 1));
  EXPECT_FALSE(h.ear->all()[0].refusal);
}

} // namespace rahat::conformance
