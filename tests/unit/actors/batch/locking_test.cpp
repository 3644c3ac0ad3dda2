#include "actors/batch/batch.hpp"
#include "actors/disbursement/disbursement.pb.h"
#include "actors/upload/upload.pb.h"
#include "tests/unit/actors/batch/fixture.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {
namespace {

pb::DisbursementMessage told_disbursement(const decision& d) {
  pb::DisbursementMessage m;
  EXPECT_EQ(d.told().at(0).to, its_disbursement);
  EXPECT_TRUE(m.ParseFromString(d.told().at(0).bytes));
  return m;
}

/// Turns of own work until the disbursement has its answer.
struct locked_list {
  batch_world now;
  pb::BatchLocked answer;
  std::vector<line_row> rows;
  int turns = 0;
};

locked_list lock_all(batch_world now, const pb::BatchMessage& ask) {
  locked_list out{then(now.told(ask)), {}, {}, 0};
  while (batch::has_work(out.now.state())) {
    auto turn = out.now.proceed();
    ++out.turns;
    for (auto& lines : turn.made.lines())
      out.rows.insert(out.rows.end(), lines.rows.begin(), lines.rows.end());
    if (!turn.made.told().empty())
      out.answer = told_disbursement(turn.made).batch_locked();
    out.now = then(turn);
  }
  return out;
}

TEST(batch_enrolment, keeps_the_order_of_its_rows_and_leaves_excluded_ones_out) {
  auto now = then(batch_world().as(batch_self).told(enroll(10'000, 10'004, {10'001, 10'004})));
  auto ask = batch::feed_for(now.state());
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->kind, feed_request::what::upload_rows);
  EXPECT_EQ(ask->id, its_upload.id);
  EXPECT_EQ(ask->first, 10'000u);
  EXPECT_EQ(ask->last, 10'004u);
  auto out = now.feed(staged(10'000, 10'004)).proceed();
  EXPECT_EQ(batch::members(out.after), 3u);
  EXPECT_EQ(out.after.ordinals(1), 10'002u);
  EXPECT_EQ(out.after.amounts(1), 100 * 10'003);
  EXPECT_EQ(out.after.persons().substr(16, 16), derive_id({"person", "10002"}).raw());
  pb::UploadMessage news;
  ASSERT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
  EXPECT_EQ(news.enrolled().members(), 3u);
  EXPECT_FALSE(batch::has_work(out.after));
}

TEST(batch_enrolment, goes_in_steps_of_a_thousand) {
  auto now = then(batch_world().as(batch_self).told(enroll(0, 2'499)));
  std::vector<std::uint32_t> firsts;
  while (auto ask = batch::feed_for(now.state())) {
    firsts.push_back(ask->first);
    EXPECT_LE(ask->last - ask->first, 999u);
    now = then(now.feed(staged(ask->first, ask->last)).proceed());
  }
  EXPECT_EQ(firsts, (std::vector<std::uint32_t>{0, 1'000, 2'000}));
  EXPECT_EQ(batch::members(now.state()), 2'500u);
}

TEST(batch_enrolment, opens_one_wallet_a_member) {
  auto out = batch_world().as(batch_self).told(enroll(0, 9, {3}));
  auto& range = out.made.accounts().at(0);
  EXPECT_EQ(range.first, member(0));
  EXPECT_EQ(range.last, member(8));
  EXPECT_EQ(range.currency, "NPR");
}

TEST(batch_enrolment, parks_when_staged_rows_are_missing) {
  auto now = then(batch_world().as(batch_self).told(enroll(0, 4)));
  EXPECT_THROW(now.proceed(), broken_invariant);
  EXPECT_THROW(now.feed(staged(0, 3)).proceed(), broken_invariant);
  EXPECT_THROW(now.feed(staged(1, 5)).proceed(), broken_invariant);
}

TEST(batch_lock, writes_one_line_a_member_in_chunks_of_a_thousand) {
  auto list = lock_all(accepted(2'500), lock());
  EXPECT_EQ(list.turns, 3);
  ASSERT_EQ(list.rows.size(), 2'500u);
  EXPECT_EQ(list.rows[1'700].no, 21'700u);
  EXPECT_EQ(list.rows[1'700].wallet, member(1'700));
  EXPECT_EQ(list.rows[1'700].person, derive_id({"person", "1700"}));
  EXPECT_EQ(list.rows[1'700].amount_minor, 170'100);
  EXPECT_EQ(list.answer.refused(), "");
  EXPECT_EQ(list.answer.count(), 2'500u);
  EXPECT_EQ(list.answer.batch(), batch_self.id.raw());
  ASSERT_EQ(list.answer.chunks_size(), 3);
  auto& second = list.answer.chunks(1);
  EXPECT_EQ(second.chunk(), 1u);
  EXPECT_EQ(second.first(), 21'000u);
  EXPECT_EQ(second.last(), 21'999u);
  EXPECT_EQ(second.count(), 1'000u);
  std::vector<line_row> rows(list.rows.begin() + 1'000, list.rows.begin() + 2'000);
  EXPECT_EQ(second.digest(), view(digest_of(rows)));
  std::int64_t sum = 0;
  for (auto& row : list.rows)
    sum += row.amount_minor;
  EXPECT_EQ(list.answer.sum_minor(), sum);
}

TEST(batch_lock, forgets_its_chunks_once_it_has_answered) {
  auto list = lock_all(accepted(2'500), lock());
  EXPECT_EQ(list.now.state().locks(0).chunks_size(), 0);
  EXPECT_TRUE(list.now.state().locks(0).finished());
}

TEST(batch_lock, gives_each_the_same_when_an_amount_is_named) {
  auto list = lock_all(accepted(3), lock(a_list, 750));
  EXPECT_EQ(list.answer.sum_minor(), 2'250);
  EXPECT_EQ(list.rows.at(2).amount_minor, 750);
}

TEST(batch_lock, has_no_line_for_who_gets_nothing_and_no_chunk_without_lines) {
  auto state = accepted(2'500).state();
  for (int i = 0; i < 2'500; ++i)
    if (i < 1'000 || i == 1'001)
      state.set_amounts(i, 0);
  auto list = lock_all(batch_world(state).as(batch_self), lock());
  EXPECT_EQ(list.rows.size(), 1'499u);
  ASSERT_EQ(list.answer.chunks_size(), 2);
  EXPECT_EQ(list.answer.chunks(0).chunk(), 1u);
  EXPECT_EQ(list.answer.chunks(0).count(), 999u);
  EXPECT_EQ(list.answer.chunks(0).first(), 21'000u);
}

TEST(batch_lock, of_members_who_all_get_nothing_is_an_empty_answer) {
  auto state = accepted(3).state();
  for (int i = 0; i < 3; ++i)
    state.set_amounts(i, 0);
  auto list = lock_all(batch_world(state).as(batch_self), lock());
  EXPECT_EQ(list.answer.count(), 0u);
  EXPECT_EQ(list.answer.chunks_size(), 0);
  EXPECT_EQ(list.answer.refused(), "");
}

TEST(batch_lock, is_refused_beyond_its_bounds) {
  auto now = accepted(3);
  for (int i = 0; i < batch::max_locks; ++i)
    now = then(now.told(lock(derive_id({"list", std::to_string(i)}))));
  auto out = now.told(lock());
  EXPECT_EQ(told_disbursement(out.made).batch_locked().refused(),
            "the batch is locked for 16 pay lists: complete or cancel some first");
  EXPECT_EQ(then(now.told(unlock(derive_id({"list", "3"})))).told(lock()).events(), "lock_started");
}

TEST(batch_lock, is_refused_when_its_sum_would_not_fit) {
  auto refused = [](std::int64_t each) {
    return told_disbursement(accepted(3).told(lock(a_list, each)).made).batch_locked().refused();
  };
  EXPECT_NE(refused(INT64_MAX), "");
  EXPECT_NE(refused(batch::max_list_minor / 3 + 1), "");
  EXPECT_NE(refused(-1), "");
  EXPECT_EQ(accepted(3).told(lock(a_list, batch::max_list_minor / 3)).events(), "lock_started");
}

TEST(batch_lock, goes_on_while_the_batch_is_frozen) {
  auto now = then(accepted(2'500).told(lock()));
  now = then(now.when(freeze()));
  EXPECT_TRUE(batch::has_work(now.state()));
  EXPECT_EQ(now.proceed().events(), "lines_locked");
}

TEST(batch_pay, adds_a_chunks_lines_to_its_wallets) {
  auto list = lock_all(accepted(1'002), lock());
  auto out = list.now.told(pay(list.answer.chunks(1)));
  EXPECT_EQ(out.after.balances(999), 0);
  EXPECT_EQ(out.after.balances(1'000), 100'100);
  EXPECT_EQ(out.after.balances(1'001), 100'200);
  EXPECT_EQ(batch::totals(out.after).at(0).amount_minor, 200'300);
  auto news = told_disbursement(out.made).applied();
  EXPECT_EQ(news.chunk(), 1u);
  EXPECT_EQ(news.list(), a_list.raw());
  EXPECT_EQ(news.batch(), batch_self.id.raw());
}

TEST(batch_pay, parks_when_what_was_paid_is_not_what_was_locked) {
  auto list = lock_all(accepted(3), lock());
  auto with = [&](auto change) {
    auto chunk = list.answer.chunks(0);
    change(chunk);
    list.now.told(pay(chunk));
  };
  EXPECT_THROW(with([](auto& c) { c.set_count(2); }), broken_invariant);
  EXPECT_THROW(with([](auto& c) { c.set_sum_minor(c.sum_minor() + 1); }), broken_invariant);
  EXPECT_THROW(with([](auto& c) { c.set_digest(hash_of("x")); }), broken_invariant);
  EXPECT_NO_THROW(with([](auto&) {}));
}

TEST(batch_pay, parks_a_list_that_it_has_forgotten) {
  auto list = lock_all(accepted(3), lock());
  auto forgotten = then(list.now.told(unlock()));
  EXPECT_THROW(forgotten.told(pay(list.answer.chunks(0))), broken_invariant);
}

} // namespace
} // namespace rahat::testing
