#include "tests/conformance/suite.hpp"

/// What hosts notice, and what they do not, when the way to the server fails.
namespace rahat::conformance {

namespace {

using fault = store_under_test::fault;

} // namespace

void store_faults_hidden::expect_unnoticed(fault what, std::uint32_t batches) {
  constexpr std::size_t entities = 10;
  constexpr std::uint64_t commits = 6;
  std::vector<host> hosts;
  for (std::size_t i = 0; i < entities; ++i)
    hosts.push_back(start(fresh_in(static_cast<shard_id>(i % 5))));
  for (std::uint64_t n = 0; n < commits; ++n) {
    under_test().inject(what, batches);
    for (auto& h : hosts)
      send(h, next(h));
    for (auto& h : hosts)
      ASSERT_TRUE(wait_heard(h, n + 1));
  }
  for (auto& h : hosts) {
    ASSERT_EQ(h.ear->count(), commits);
    for (auto& heard : h.ear->all())
      EXPECT_FALSE(heard.refusal) << heard.refusal->message;
    auto rows = history(h.entity);
    ASSERT_EQ(rows.size(), commits);
    for (std::uint64_t n = 0; n < commits; ++n)
      EXPECT_EQ(rows[n].position, h.ear->all()[n].position) << "a host was told another place";
  }
  EXPECT_TRUE(fenced_shards().empty());
}

TEST_P(store_faults_hidden, a_connection_lost_before_the_commit) {
  expect_unnoticed(fault::fail_before_commit, 1);
}

TEST_P(store_faults_hidden, a_connection_lost_again_and_again) {
  expect_unnoticed(fault::fail_before_commit, 2); // a third loss is held against the batch
}

TEST_P(store_faults_hidden, a_reply_lost_after_the_commit) {
  expect_unnoticed(fault::lose_reply, 1);
}

TEST_P(store_faults_hidden, a_deadlock) {
  expect_unnoticed(fault::deadlock, 2);
}

TEST_P(store_faults_hidden, a_serialisation_failure) {
  expect_unnoticed(fault::serialisation, 2);
}

TEST_P(store_faults, money_moves_once_whatever_became_of_the_reply) {
  auto h = start(fresh());
  for (auto what : {fault::lose_reply, fault::fail_before_commit}) {
    transfer t;
    t.purpose = fresh_id();
    t.debit = fresh_id();
    t.credit = fresh_id();
    t.amount_minor = 10;
    t.currency = "NPR";
    t.credit_owner = fresh();
    under_test().inject(what, 1);
    auto c = next(h);
    c.transfers = {t};
    land(h, c);
  }
  EXPECT_EQ(history(h.entity).size(), 2u);
}

TEST_P(store_faults, a_poisoned_commit_is_found_behind_a_lost_connection) {
  auto good = start(fresh_in(30));
  auto bad = start(fresh_in(30));
  under_test().inject(fault::fail_before_commit, 1);
  send(good, next(good));
  auto c = next(bad);
  c.principal = std::string(1, '\0');
  send(bad, c);
  send(good, next(good));
  ASSERT_TRUE(wait_heard(good, 2));
  ASSERT_TRUE(wait_heard(bad, 1));
  EXPECT_FALSE(good.ear->all()[0].refusal);
  EXPECT_FALSE(good.ear->all()[1].refusal);
  ASSERT_TRUE(bad.ear->all()[0].refusal);
  EXPECT_EQ(bad.ear->all()[0].refusal->why, commit_failure::rejected);
}

/// Nobody waits for ever for a commit that kills whoever stores it (R6, R7).
TEST_P(store_faults, a_commit_that_ends_every_connection_is_rejected_alone) {
  auto bad = start(fresh_in(34));
  land(bad, next(bad));
  std::vector<host> good;
  for (shard_id shard : std::initializer_list<shard_id>{34, 34, 35, 36})
    good.push_back(start(fresh_in(shard)));
  under_test().deadly(bad.entity);
  for (int round = 0; round < 3; ++round) // before, in between and behind it, in order
    for (auto& h : good) {
      send(h, next(h));
      if (round < 2 && &h == &good[1])
        send(bad, next(bad));
    }
  for (auto& h : good) {
    ASSERT_TRUE(wait_heard(h, 3));
    for (auto& heard : h.ear->all())
      EXPECT_FALSE(heard.refusal) << heard.refusal->message;
    EXPECT_EQ(history(h.entity).size(), 3u);
  }
  ASSERT_TRUE(wait_heard(bad, 3));
  auto heard = bad.ear->all();
  ASSERT_TRUE(heard[1].refusal && heard[2].refusal);
  EXPECT_EQ(heard[1].refusal->why, commit_failure::rejected) << heard[1].refusal->message;
  EXPECT_EQ(heard[2].refusal->why, commit_failure::superseded);
  EXPECT_EQ(history(bad.entity).size(), 1u);
  EXPECT_TRUE(fenced_shards().empty());
}

/// Whatever comes next is not held responsible for what others have lost.
TEST_P(store_faults, lost_connections_are_counted_batch_by_batch) {
  auto h = start(fresh_in(37));
  for (int n = 0; n < 4; ++n) {
    under_test().inject(fault::fail_before_commit, 2);
    land(h, next(h));
  }
  EXPECT_EQ(history(h.entity).size(), 4u);
}

TEST_P(store_faults, a_server_that_is_away_between_losses_is_waited_for) {
  auto h = start(fresh_in(38));
  land(h, next(h));
  under_test().inject(fault::fail_before_commit, 2);
  send(h, next(h));
  under_test().server_away();
  until([&] { return under_test().drive() != store_under_test::progress::stepped; });
  under_test().server_back();
  ASSERT_TRUE(wait_heard(h, 2));
  auto heard = h.ear->all()[1];
  if (heard.refusal) { // a store may give up, but blames nobody
    EXPECT_EQ(heard.refusal->why, commit_failure::unavailable) << heard.refusal->message;
  }
}

/// Postgres itself says that nothing has landed: then nobody has to wait for ever.
TEST_P(store_faults, a_condition_that_stays_is_given_up_as_retryable_and_nothing_of_it_lands) {
  constexpr std::uint32_t for_ever = 1'000'000;
  auto a = start(fresh_in(39));
  auto b = start(fresh_in(40));
  land(a, next(a));
  under_test().inject(fault::disk_full, for_ever);
  send(a, next(a));
  send(a, next(a));
  send(b, next(b));
  ASSERT_TRUE(wait_heard(a, 3));
  ASSERT_TRUE(wait_heard(b, 1));
  const auto of_a = a.ear->all();
  ASSERT_TRUE(of_a[1].refusal && of_a[2].refusal && b.ear->all()[0].refusal);
  EXPECT_EQ(of_a[1].refusal->why, commit_failure::unavailable) << of_a[1].refusal->message;
  EXPECT_NE(of_a[2].refusal->why, commit_failure::rejected);
  EXPECT_EQ(b.ear->all()[0].refusal->why, commit_failure::unavailable);
  EXPECT_EQ(history(a.entity).size(), 1u);
  EXPECT_EQ(history(b.entity).size(), 0u);
  under_test().inject(fault::disk_full, 0);
  EXPECT_EQ(refusal_of(b, next(b)), commit_failure::superseded) << "its former state is not stored";
  for (auto& entity : {a.entity, b.entity}) {
    auto again = start(entity);
    EXPECT_EQ(again.seq, entity == a.entity ? 1u : 0u);
    land(again, next(again));
  }
  EXPECT_TRUE(fenced_shards().empty());
}

TEST_P(store_faults, a_shard_taken_while_the_reply_was_lost_is_fenced) {
  auto h = start(fresh_in(31));
  land(h, next(h));
  under_test().fence(31);
  under_test().inject(fault::fail_before_commit, 1);
  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::fenced);
  EXPECT_EQ(history(h.entity).size(), 1u);
}

/// A store may wait for its server or give up: but it says what became of the commit, and what it
/// says is true.
TEST_P(store_faults, a_server_that_was_away_loses_nothing) {
  auto h = start(fresh_in(32));
  land(h, next(h));
  under_test().server_away();
  send(h, next(h));
  send(h, next(h));
  until([&] { return under_test().drive() != store_under_test::progress::stepped; });
  under_test().server_back();
  ASSERT_TRUE(wait_heard(h, 3));
  std::uint64_t landed = 1;
  for (std::uint64_t n = 1; n < 3; ++n) {
    auto heard = h.ear->all()[n];
    if (!heard.refusal) {
      ++landed;
      EXPECT_EQ(landed, n + 1) << "a commit landed behind one that did not";
    } else {
      EXPECT_TRUE(heard.refusal->why == commit_failure::unavailable ||
                  heard.refusal->why == commit_failure::superseded);
    }
  }
  auto again = start(h.entity);
  EXPECT_EQ(again.seq, landed);
  land(again, next(again));
  EXPECT_TRUE(fenced_shards().empty());
}

TEST_P(store_faults, an_outage_after_a_lost_reply_is_not_a_fence) {
  auto h = start(fresh_in(33));
  under_test().inject(fault::lose_reply, 1);
  send(h, next(h));
  under_test().server_away();
  until([&] { return under_test().drive() != store_under_test::progress::stepped; });
  under_test().server_back();
  ASSERT_TRUE(wait_heard(h, 1));
  auto again = start(h.entity);
  if (!h.ear->all()[0].refusal) {
    EXPECT_EQ(again.seq, 1u);
  }
  land(again, next(again));
  EXPECT_TRUE(fenced_shards().empty());
}

TEST_P(store_faults, a_read_without_a_server_ends_with_a_retryable_error) {
  auto entity = fresh();
  under_test().server_away();
  auto found = ask<std::optional<request_row>>(
      [&](auto done) { store().find_request(entity, fresh_id(), done); });
  ASSERT_TRUE(std::holds_alternative<error>(found));
  EXPECT_EQ(std::get<error>(found).code, errc::unavailable);
  under_test().server_back();
  EXPECT_TRUE(history(entity).empty());
}

} // namespace rahat::conformance
