#include "tests/conformance/membership_suite.hpp"

#include <gmock/gmock.h>

/// What every store of membership does: docs/protocols/membership.md and moves.md.
namespace rahat::conformance {

namespace {

using namespace std::chrono_literals;
using cluster::death_reason;
using testing::HasSubstr;

} // namespace

TEST_P(membership_store, a_reading_holds_all_of_one_moment) {
  const auto a = active(1);
  const auto b = active(2);
  EXPECT_EQ(vote(a, b), swap::done);
  ASSERT_TRUE(take(b, 9));
  const auto seen = read(a);
  EXPECT_EQ(seen.now.version, 5) << "two joined, two became active";
  EXPECT_EQ(seen.now.feature_level, 1);
  ASSERT_EQ(seen.now.members.size(), 2u);
  const auto* m = seen.now.find(b);
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(m->address, "10.0.0.2");
  EXPECT_EQ(m->port, 7402);
  EXPECT_EQ(m->status, status::active);
  EXPECT_EQ(m->build_level, 1);
  EXPECT_EQ(m->feature_level, 1);
  EXPECT_GT(m->lease_until_us, seen.database_now_us);
  EXPECT_LE(m->lease_until_us, seen.database_now_us + std::chrono::microseconds{case_ttl}.count());
  ASSERT_EQ(seen.votes.size(), 1u);
  EXPECT_EQ(seen.votes[0].voter, a);
  EXPECT_EQ(seen.votes[0].against, b);
  EXPECT_LE(seen.votes[0].written_us, seen.database_now_us);
  EXPECT_EQ(seen.shards[9].owner, b);
  EXPECT_EQ(seen.shards[9].epoch, 1);
  EXPECT_TRUE(seen.shards[9].this_generation);
  EXPECT_TRUE(seen.shards[10].owner.node.is_nil());
  EXPECT_FALSE(seen.drain);
}

TEST_P(membership_store, a_lost_swap_changes_nothing) {
  const auto a = active(1);
  const auto b = joining(2);
  const auto old = version(a) - 1;
  const auto stale = [&](auto call) { return must(ask<swap>(call)); };
  EXPECT_EQ(stale([&](auto done) {
              db().store(b).change(status::joining, status::active, "", old, done);
            }),
            swap::stale);
  db().set_lease(b, -1s);
  const auto lease = read(a).now.find(b)->lease_until_us;
  EXPECT_EQ(stale([&](auto done) {
              db().store(a).declare({old, b, death_reason::lapsed, lease}, done);
            }),
            swap::stale);
  EXPECT_EQ(status_of(b, a), status::joining);
  EXPECT_EQ(version(a), old + 1);
}

TEST_P(membership_store, a_member_goes_from_one_status_to_the_next) {
  const auto a = joining(1);
  EXPECT_EQ(change(a, status::active, status::leaving), swap::refused) << "it has another status";
  EXPECT_EQ(change(a, status::joining, status::active), swap::done);
  EXPECT_EQ(change(a, status::active, status::leaving), swap::done);
  EXPECT_EQ(change(a, status::leaving, status::active), swap::done);
  EXPECT_EQ(change(a, status::active, status::leaving), swap::done);
  EXPECT_EQ(change(a, status::leaving, status::left), swap::done);
  const auto seen = read(a);
  EXPECT_LE(seen.now.find(a)->lease_until_us, seen.database_now_us) << "nobody waits for it";
  EXPECT_EQ(change(a, status::joining, status::active), swap::refused) << "left is for good";
  EXPECT_FALSE(db().renew(a));
  const auto wrong = ask<swap>(
      [&](auto done) { db().store(a).change(status::dead, status::active, "", version(a), done); });
  ASSERT_TRUE(std::holds_alternative<error>(wrong));
  EXPECT_EQ(std::get<error>(wrong).code, errc::invalid_input);
}

TEST_P(membership_store, a_renewed_lease_is_not_lapsed) {
  const auto a = active(1);
  const auto b = active(2);
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::refused) << "its lease runs";
  db().set_lease(b, -1s);
  const auto seen = read(a);
  const cluster::declare_dead late{seen.now.version, b, death_reason::lapsed,
                                   seen.now.find(b)->lease_until_us};
  ASSERT_TRUE(db().renew(b));
  EXPECT_EQ(must(ask<swap>([&](auto done) { db().store(a).declare(late, done); })), swap::refused);
  db().set_lease(b, -2s);
  EXPECT_EQ(must(ask<swap>([&](auto done) { db().store(a).declare(late, done); })), swap::refused)
      << "it renewed and lapsed again";
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::done);
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::refused) << "once";
  EXPECT_FALSE(db().renew(b)) << "dead is for good";
}

TEST_P(membership_store, a_lease_far_ahead_counts_as_lapsed) {
  const auto a = active(1);
  const auto b = active(2);
  db().set_lease(b, 3 * case_ttl); // written before the clock was set back
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::done);
}

TEST_P(membership_store, a_lapsed_judge_is_refused) {
  const auto a = active(1);
  const auto b = active(2);
  const auto c = joining(3);
  db().set_lease(b, -1s);
  EXPECT_EQ(bury(c, b, death_reason::lapsed), swap::refused) << "it is only joining";
  db().set_lease(a, -1s);
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::refused);
  EXPECT_EQ(vote(a, b), swap::refused);
  ASSERT_TRUE(db().renew(a));
  EXPECT_EQ(bury(a, a, death_reason::lapsed), swap::refused) << "nobody judges himself";
  EXPECT_EQ(change(a, status::active, status::leaving), swap::done);
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::done) << "the last one must not wait for it";
}

TEST_P(membership_store, two_votes_end_an_active_member) {
  const auto a = active(1);
  const auto b = active(2);
  const auto c = active(3);
  EXPECT_EQ(vote(a, c), swap::done);
  EXPECT_EQ(vote(a, c), swap::done) << "renewed";
  EXPECT_EQ(read(a).votes.size(), 1u);
  EXPECT_EQ(bury(a, c, death_reason::voted), swap::refused) << "one vote";
  EXPECT_EQ(vote(b, c), swap::done);
  EXPECT_EQ(vote(b, b), swap::refused);
  EXPECT_EQ(bury(b, c, death_reason::voted), swap::done);
  EXPECT_EQ(status_of(c, a), status::dead);
  EXPECT_TRUE(read(a).votes.empty()) << "votes go with whom they are about";
}

TEST_P(membership_store, votes_of_the_dead_do_not_count) {
  const auto a = active(1);
  const auto b = active(2);
  const auto c = active(3);
  const auto d = active(4);
  EXPECT_EQ(vote(a, d), swap::done);
  EXPECT_EQ(vote(b, d), swap::done);
  db().set_lease(b, -1s);
  EXPECT_EQ(bury(c, b, death_reason::lapsed), swap::done);
  EXPECT_EQ(bury(c, d, death_reason::voted), swap::refused);
  EXPECT_EQ(vote(c, d), swap::done);
  EXPECT_EQ(bury(c, d, death_reason::voted), swap::done);
}

TEST_P(membership_store, votes_of_former_starts_do_not_count) {
  const auto a = active(1);
  const auto b = active(2);
  const auto c = active(3);
  EXPECT_EQ(vote(a, c), swap::done);
  EXPECT_EQ(vote(b, c), swap::done);
  const auto again = active(2);
  EXPECT_EQ(again.incarnation, 2);
  EXPECT_EQ(read(a).votes.size(), 1u);
  EXPECT_EQ(bury(a, c, death_reason::voted), swap::refused);
  EXPECT_EQ(vote(b, c), swap::refused) << "it is over";
}

TEST_P(membership_store, votes_that_are_old_do_not_count) {
  const auto a = active(1);
  const auto b = active(2);
  const auto c = active(3);
  EXPECT_EQ(vote(a, c), swap::done);
  db().age_votes(case_vote_expiry + 1s);
  EXPECT_EQ(vote(b, c), swap::done);
  EXPECT_EQ(bury(b, c, death_reason::voted), swap::refused);
  EXPECT_EQ(vote(a, c), swap::done);
  EXPECT_EQ(bury(b, c, death_reason::voted), swap::done);
}

TEST_P(membership_store, a_vote_that_was_withdrawn_does_not_count) {
  const auto a = active(1);
  const auto b = active(2);
  const auto c = active(3);
  EXPECT_EQ(vote(a, c), swap::done);
  EXPECT_EQ(vote(b, c), swap::done);
  EXPECT_EQ(must(ask<swap>([&](auto done) { db().store(a).withdraw(c, done); })), swap::done);
  EXPECT_EQ(bury(b, c, death_reason::voted), swap::refused);
}

TEST_P(membership_store, of_two_members_the_vote_of_the_smaller_one_is_enough) {
  const auto a = active(1);
  const auto b = active(2);
  EXPECT_EQ(vote(b, a), swap::done);
  EXPECT_EQ(bury(b, a, death_reason::voted), swap::refused);
  EXPECT_EQ(vote(a, b), swap::done);
  EXPECT_EQ(bury(a, b, death_reason::voted), swap::done);
}

TEST_P(membership_store, another_master_key_is_refused) {
  joining(1);
  auto other = paper(2);
  other.key_check = "another";
  EXPECT_THAT(refusal(other), HasSubstr("master key"));
}

TEST_P(membership_store, another_length_of_lease_is_refused) {
  const auto a = joining(1);
  EXPECT_THAT(refusal(paper(2), case_ttl / 100), HasSubstr("lease.ttl_ms"))
      << "though by that length the lease of the other would lie too far ahead to count";
  EXPECT_THAT(refusal(paper(2), 2 * case_ttl), HasSubstr("lease.ttl_ms"));
  db().set_lease(a, -1s);
  EXPECT_EQ(refusal(paper(2), 2 * case_ttl), "(was not refused)") << "nobody is left to disagree";
}

TEST_P(membership_store, a_lone_node_and_a_cluster_exclude_each_other) {
  auto lone = paper(1);
  lone.address.clear();
  const auto got = db().enrol(lone, case_ttl);
  ASSERT_TRUE(std::holds_alternative<id>(got));
  const auto a = std::get<id>(got);
  EXPECT_EQ(status_of(a, a), status::active) << "who is alone waits for nobody";
  EXPECT_THAT(refusal(paper(2)), HasSubstr("node-1 serves this database"));
  db().set_lease(a, -1s);
  joining(2);
  EXPECT_THAT(refusal(lone), HasSubstr("node-2 serves this database"));
}

TEST_P(membership_store, a_build_that_is_too_old_is_refused) {
  auto newer = paper(1);
  newer.build_level = 2;
  const auto got = db().enrol(newer, case_ttl);
  ASSERT_TRUE(std::holds_alternative<id>(got));
  const auto a = std::get<id>(got);
  const auto raise = [&] {
    return must(ask<std::string>([&](auto done) { db().store(a).raise_level(2, done); }));
  };
  const auto b = joining(2);
  EXPECT_THAT(raise(), HasSubstr("node-2 (1.2.3, level 1)"));
  db().set_lease(b, -1s);
  EXPECT_THAT(raise(), HasSubstr("node-2")) << "it may come back";
  EXPECT_EQ(change(b, status::joining, status::left), swap::done);
  EXPECT_EQ(raise(), "");
  EXPECT_EQ(raise(), "") << "it is there already";
  EXPECT_EQ(read(a).now.feature_level, 2);
  EXPECT_THAT(refusal(paper(2)), HasSubstr("feature level 2"));
}

TEST_P(membership_store, no_incarnation_is_given_twice) {
  auto who = paper(1);
  who.least_incarnation = 7; // the data folder remembers 6, the database was restored
  const auto first = db().enrol(who, case_ttl);
  const auto second = db().enrol(who, case_ttl);
  ASSERT_TRUE(std::holds_alternative<id>(first) && std::holds_alternative<id>(second));
  EXPECT_EQ(std::get<id>(first).incarnation, 7);
  EXPECT_EQ(std::get<id>(second).incarnation, 8);
}

TEST_P(membership_store, a_wish_is_read_by_the_node_that_it_is_about) {
  const auto a = active(1);
  const auto b = active(2);
  const auto wish = [&](const uuid& whose, bool drain) {
    return must(ask<swap>([&](auto done) { db().store(a).wish(whose, drain, done); }));
  };
  EXPECT_EQ(wish(b.node, true), swap::done);
  EXPECT_TRUE(read(b).drain);
  EXPECT_FALSE(read(a).drain);
  EXPECT_EQ(wish(b.node, false), swap::done);
  EXPECT_FALSE(read(b).drain);
  EXPECT_EQ(wish(node(77), true), swap::refused);
  EXPECT_EQ(wish(b.node, true), swap::done);
  EXPECT_FALSE(read(active(2)).drain) << "a new start begins without it";
}

TEST_P(shard_ownership, a_shard_is_taken_once_and_each_take_raises_the_epoch) {
  const auto a = active(1);
  const auto b = active(2);
  const auto first = take(a, 3);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->shard, 3);
  EXPECT_EQ(first->epoch, 1);
  EXPECT_EQ(first->head_position, 0);
  EXPECT_EQ(first->head_hash, std::string(32, '\0'));
  EXPECT_FALSE(take(b, 3));
  EXPECT_EQ(read(b).shards[3].epoch, 1);
  const auto again = take(a, 3);
  ASSERT_TRUE(again) << "an answer that was lost is asked for again";
  EXPECT_EQ(again->epoch, 2);
}

TEST_P(shard_ownership, only_an_active_member_with_a_running_lease_takes) {
  const auto a = joining(1);
  EXPECT_FALSE(take(a, 0));
  EXPECT_EQ(change(a, status::joining, status::active), swap::done);
  db().set_lease(a, -1s);
  EXPECT_FALSE(take(a, 0)) << "its lease has lapsed";
  ASSERT_TRUE(db().renew(a));
  EXPECT_TRUE(take(a, 0));
  EXPECT_EQ(change(a, status::active, status::leaving), swap::done);
  EXPECT_FALSE(take(a, 1));
}

/// Its release was refused, because a commit landed meanwhile: else nobody would serve it.
TEST_P(shard_ownership, a_leaving_member_takes_back_what_is_still_its_own_and_nothing_else) {
  const auto former = active(1);
  ASSERT_TRUE(take(former, 6));
  const auto a = active(1);
  const auto b = active(2);
  const auto mine = take(a, 5);
  ASSERT_TRUE(mine);
  EXPECT_EQ(change(a, status::active, status::leaving), swap::done);
  db().move_head(5, 4);
  EXPECT_EQ(release(a, *mine), swap::refused);
  const auto again = take(a, 5);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->epoch, 2);
  EXPECT_EQ(again->head_position, 4);
  EXPECT_FALSE(take(a, 7)) << "a free one is for the others";
  EXPECT_FALSE(take(a, 6)) << "and so is that of its former start";
  EXPECT_FALSE(take(b, 5));
  EXPECT_EQ(release(a, *again), swap::done);
  EXPECT_FALSE(take(a, 5)) << "it is nobody's";
  ASSERT_TRUE(take(b, 5));
  EXPECT_FALSE(take(a, 5));
}

TEST_P(shard_ownership, a_leaving_member_whose_lease_has_lapsed_takes_nothing_back) {
  const auto a = active(1);
  ASSERT_TRUE(take(a, 5));
  EXPECT_EQ(change(a, status::active, status::leaving), swap::done);
  db().set_lease(a, -1s);
  EXPECT_FALSE(take(a, 5));
}

TEST_P(shard_ownership, a_dead_incarnation_takes_no_shard) {
  const auto a = active(1);
  const auto b = active(2);
  db().set_lease(b, -1s);
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::done);
  db().set_lease(b, 1s);
  EXPECT_FALSE(take(b, 0));
}

TEST_P(shard_ownership, release_at_another_head_is_refused) {
  const auto a = active(1);
  const auto b = active(2);
  auto mine = take(a, 5);
  ASSERT_TRUE(mine);
  db().move_head(5, 4);
  EXPECT_EQ(release(a, *mine), swap::refused) << "not all had landed when it was named";
  mine->head_position = 4;
  auto older = *mine;
  older.epoch = 0;
  EXPECT_EQ(release(a, older), swap::refused);
  EXPECT_EQ(release(b, *mine), swap::refused);
  EXPECT_FALSE(take(b, 5));
  EXPECT_EQ(release(a, *mine), swap::done);
  EXPECT_EQ(release(a, *mine), swap::refused) << "it is nobody's";
  const auto taken = take(b, 5);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->epoch, 2);
  EXPECT_EQ(taken->head_position, 4);
}

TEST_P(shard_ownership, a_member_that_has_only_lapsed_keeps_its_shards) {
  const auto a = active(1);
  const auto b = active(2);
  ASSERT_TRUE(take(b, 5));
  db().set_lease(b, -1s);
  EXPECT_FALSE(take(a, 5));
  EXPECT_EQ(bury(a, b, death_reason::lapsed), swap::done);
  EXPECT_TRUE(take(a, 5));
}

TEST_P(shard_ownership, waits_for_the_lease_of_a_node_that_was_voted_out) {
  const auto a = active(1);
  const auto b = active(2);
  ASSERT_TRUE(take(b, 5));
  EXPECT_EQ(vote(a, b), swap::done);
  EXPECT_EQ(bury(a, b, death_reason::voted), swap::done);
  EXPECT_FALSE(take(a, 5)) << "it may still answer reads";
  db().set_lease(b, -1ms);
  EXPECT_TRUE(take(a, 5));
}

TEST_P(shard_ownership, a_member_that_left_is_waited_for_by_nobody) {
  const auto a = active(1);
  const auto b = active(2);
  ASSERT_TRUE(take(b, 5));
  EXPECT_EQ(change(b, status::active, status::left), swap::done);
  EXPECT_TRUE(take(a, 5));
}

TEST_P(shard_ownership, a_later_start_takes_what_was_its_own_and_a_former_one_nothing) {
  const auto former = active(1);
  ASSERT_TRUE(take(former, 5));
  const auto now = active(1);
  const auto taken = take(now, 5);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->epoch, 2);
  EXPECT_FALSE(take(former, 5));
  EXPECT_EQ(release(former, {5, 1, 0, {}}), swap::refused);
}

TEST_P(shard_ownership, a_row_of_another_generation_is_free) {
  const auto a = active(1);
  const auto b = active(2);
  ASSERT_TRUE(take(b, 5));
  db().of_another_generation(5);
  EXPECT_FALSE(read(a).shards[5].this_generation);
  EXPECT_TRUE(take(a, 5)) << "whoever owns it";
  EXPECT_TRUE(read(a).shards[5].this_generation);
}

TEST_P(shard_ownership, ends_sessions_of_the_dead_incarnation_only) {
  const auto former = active(1);
  db().open_session(former);
  db().open_session(former);
  const auto later = active(1);
  const auto me = active(2);
  db().open_session(later);
  const auto end = [&](const id& whose) {
    return ask<int>([&](auto done) { db().store(me).end_sessions(whose, done); });
  };
  EXPECT_GE(must(end(former)), 2) << "and those of its own store";
  EXPECT_EQ(db().sessions(former), 0u);
  EXPECT_EQ(db().sessions(later), 1u);
  EXPECT_EQ(must(end(former)), 0);
  const auto own = end(me);
  ASSERT_TRUE(std::holds_alternative<error>(own));
  EXPECT_EQ(std::get<error>(own).code, errc::invalid_input);
}

} // namespace rahat::conformance
