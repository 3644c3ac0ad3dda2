#include "tests/unit/actors/disbursement/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<disbursement>;
using namespace scenes;

outcome gets(const state& now, const wire::Credit& credit) {
  return given_one(now).from(project).credited(credit);
}

} // namespace

TEST(disbursement_reserve, asks_for_the_whole_sum_of_this_list) {
  auto out = given_one(approved()).when(pay());
  auto question = detail::parsed<pb::ProjectMessage>(out.made.told().at(0).bytes, "").reserve();
  EXPECT_EQ(out.made.told()[0].to, project);
  EXPECT_EQ(question.amount_minor(), 500);
  EXPECT_EQ(question.currency(), "NPR");
  EXPECT_EQ(question.account(), reserve_account().raw());
  EXPECT_EQ(question.list(), list().raw());
  EXPECT_EQ(ref_of(question.disbursement()), self);
}

TEST(disbursement_reserve, is_only_what_was_asked_for) {
  std::vector<std::pair<std::string, std::function<void(wire::Credit&)>>> cases{
      {"amount", [](auto& c) { c.set_amount_minor(499); }},
      {"currency", [](auto& c) { c.set_currency("USD"); }},
      {"account",
       [](auto& c) {
         c.set_credit_account(budget_account().raw()), c.set_debit_account(reserve_account().raw());
       }},
      {"why", [](auto& c) { c.set_why("gift"); }},
      {"purpose", [](auto& c) { c.set_purpose(derive_id({"x"}).raw()); }},
      {"another project",
       [](auto& c) {
         assign(*c.mutable_from(), {"project", derive_id({"another"})});
       }},
  };
  for (auto& [what, spoil] : cases) {
    auto credit = reserve_credit();
    spoil(credit);
    auto out = gets(reserving(), credit);
    EXPECT_EQ(out.events(), "stray_credit") << what;
    ASSERT_EQ(out.made.transfers().size(), 1u) << what;
    auto& back = out.made.transfers()[0];
    EXPECT_EQ(back.debit.raw(), credit.credit_account()) << what;
    EXPECT_EQ(back.credit.raw(), credit.debit_account()) << what;
    EXPECT_EQ(back.amount_minor, credit.amount_minor()) << what;
    EXPECT_EQ(back.credit_owner, ref_of(credit.from())) << what;
    EXPECT_EQ(out.after.status(), pb::DISBURSEMENT_RESERVING) << what;
  }
}

TEST(disbursement_reserve, comes_once) {
  auto out = gets(paying(), reserve_credit());
  EXPECT_EQ(out.events(), "stray_credit");
  EXPECT_EQ(out.after.reserve_minor(), 500);
}

TEST(disbursement_reserve, refused_needs_a_new_approval) {
  auto refused = after_message(reserving(), reserve_refused());
  EXPECT_EQ(refused.status(), pb::DISBURSEMENT_LOCKED);
  EXPECT_EQ(refused.reason(), "the budget is too small");
  EXPECT_EQ(refused.approvals_size(), 0);
  EXPECT_EQ(given_one(refused).when(pay()).error_name(), "wrong_status");
  EXPECT_EQ(given_one(refused).by("checker").when(approve(refused)).error_name(), "");
}

TEST(disbursement_reserve, refusal_of_another_list_is_not_heard) {
  auto refusal = reserve_refused();
  refusal.mutable_reserve()->set_list(list(9).raw());
  EXPECT_EQ(given_one(reserving()).from(project).told(refusal).events(), "");
}

TEST(disbursement_credit, that_is_a_return_is_kept_and_counted) {
  for (auto& now : {draft(), locked(), paying()}) {
    auto out = gets(now, returned_credit());
    EXPECT_TRUE(out.made.transfers().empty());
    auto before = disbursement::totals(now);
    auto after = disbursement::totals(out.after);
    ASSERT_EQ(after.size(), 1u);
    EXPECT_EQ(after[0].currency, "NPR");
    EXPECT_EQ(after[0].amount_minor, (before.empty() ? 0 : before[0].amount_minor) + 30);
  }
}

TEST(disbursement_credit, in_another_currency_is_counted_apart) {
  auto credit = returned_credit();
  credit.set_currency("USD");
  auto totals = disbursement::totals(gets(paying(), credit).after);
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].amount_minor, 500);
  EXPECT_EQ(totals[1].currency, "USD");
  EXPECT_EQ(totals[1].amount_minor, 30);
}

TEST(disbursement_pay, decides_one_chunk_a_commit) {
  auto out = given_one(paying()).proceed();
  ASSERT_EQ(out.made.payments().size(), 1u);
  auto& payment = out.made.payments()[0];
  EXPECT_EQ(payment.disbursement, list()) << "the list is the purpose of its lines' transfers";
  EXPECT_EQ(payment.first, 0u);
  EXPECT_EQ(payment.last, 2u);
  EXPECT_EQ(payment.count, 3u);
  EXPECT_EQ(payment.sum_minor, 300);
  EXPECT_EQ(payment.currency, "NPR");
  EXPECT_EQ(payment.debit, reserve_account());
  EXPECT_EQ(payment.lines_digest, sha256("lines of batch 0"));
  EXPECT_EQ(payment.credit_owner, batch(0));
  auto notice = detail::parsed<pb::BatchMessage>(out.made.told().at(0).bytes, "").pay();
  EXPECT_EQ(notice.list(), list().raw());
  EXPECT_EQ(notice.chunk(), 0u);
  EXPECT_EQ(notice.count(), 3u);
  EXPECT_EQ(notice.sum_minor(), 300);
  EXPECT_EQ(notice.digest(), view(sha256("lines of batch 0")));
  EXPECT_EQ(out.after.reserve_minor(), 200);
  EXPECT_EQ(out.after.lines_decided(), 3u);
  EXPECT_EQ(out.after.lines_paid(), 0u) << "a line is paid when its wallet has the money";
}

TEST(disbursement_pay, ends_when_the_last_wallet_has_its_money) {
  auto all = decided(paying(), 2);
  EXPECT_FALSE(disbursement::has_work(all));
  auto one = arrived(all, 1); // in any order
  EXPECT_EQ(one.status(), pb::DISBURSEMENT_PAYING);
  auto done = arrived(one, 0);
  EXPECT_EQ(done.status(), pb::DISBURSEMENT_COMPLETED);
  EXPECT_EQ(done.lines_paid(), 5u);
  EXPECT_EQ(done.paid_minor(), 500);
  EXPECT_EQ(done.reserve_minor(), 0);
}

TEST(disbursement_pay, counts_a_chunk_once) {
  auto one = arrived(decided(paying(), 2), 0);
  auto again = given_one(one).from(batch(0)).told(chunk_applied(0));
  EXPECT_EQ(again.events(), "");
  auto undecided = given_one(decided(paying(), 1)).from(batch(1)).told(chunk_applied(1));
  EXPECT_EQ(undecided.events(), "");
  auto other = chunk_applied(0);
  other.mutable_applied()->set_list(list(2).raw());
  EXPECT_EQ(given_one(decided(paying(), 1)).told(other).events(), "") << "of another list";
}

TEST(disbursement_pay, pauses_after_the_chunks_already_decided) {
  auto now = after_command(decided(paying(), 1), scenes::pause());
  EXPECT_FALSE(disbursement::has_work(now));
  EXPECT_EQ(given_one(now).proceed().events(), "");
  now = arrived(now, 0);
  EXPECT_EQ(now.lines_paid(), 3u);
  now = after_command(now, resume());
  EXPECT_TRUE(disbursement::has_work(now));
  now = arrived(decided(now, 1), 1);
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_COMPLETED);
}

TEST(disbursement_pay, completes_when_paused_after_its_last_chunk) {
  auto now = after_command(decided(paying(), 2), scenes::pause());
  now = arrived(arrived(now, 0), 1);
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_COMPLETED);
}

/// 100 batches of 10,000 members with 1 each, through the model that the host uses.
TEST(disbursement_pay, covers_a_million_lines_in_a_thousand_chunks) {
  auto fact = project_fact(pb::PROJECT_ACTIVE, 100);
  state now = after_message(locking(), fact);
  for (int i = 0; i < 100; ++i) {
    pb::DisbursementEvent event;
    auto& answer = *event.mutable_batch_answered()->mutable_answer();
    answer.set_batch(batch(i).id.raw());
    answer.set_count(10'000);
    answer.set_sum_minor(10'000);
    for (std::uint32_t c = 0; c < 10; ++c) {
      auto& chunk = *answer.add_chunks();
      chunk.set_chunk(c);
      chunk.set_first(static_cast<std::uint32_t>(i) * 10'000 + c * 1'000);
      chunk.set_last(chunk.first() + 999);
      chunk.set_count(1'000);
      chunk.set_sum_minor(1'000);
      chunk.set_digest(std::string(32, 'd'));
    }
    disbursement::evolve(now, event);
  }
  now = given_one(now).feed({}).proceed().after;
  ASSERT_EQ(now.lines(), disbursement::max_lines);
  now = after_command(after_command(now, approve(now), "checker"), pay());
  auto credit = reserve_credit();
  credit.set_amount_minor(1'000'000);
  now = gets(now, credit).after;

  context ctx{self, {"", "entity"}, {}, test_now_us, {}, nullptr};
  auto take = [&](const decision& d) {
    for (auto& event : d.events())
      disbursement::evolve(now, detail::parsed<pb::DisbursementEvent>(event.bytes, ""));
  };
  while (disbursement::has_work(now))
    take(disbursement::proceed(now, ctx));
  EXPECT_EQ(now.next_chunk(), 1'000u);
  for (int i = 0; i < 100; ++i)
    for (std::uint32_t c = 0; c < 10; ++c) {
      auto notice = chunk_applied(i);
      notice.mutable_applied()->set_chunk(9 - c);
      take(disbursement::told(now, notice, ctx));
    }
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_COMPLETED);
  EXPECT_EQ(now.lines_paid(), 1'000'000u);
  EXPECT_LT(now.ByteSizeLong(), 256u * 1024) << "its snapshot stays small";
}

TEST(disbursement_cancel, gives_back_what_no_line_was_promised) {
  auto now = after_command(decided(paying(), 1), cancel());
  EXPECT_FALSE(disbursement::has_work(now));
  auto out = given_one(now).from(batch(0)).told(chunk_applied(0));
  ASSERT_EQ(out.made.transfers().size(), 1u);
  auto& back = out.made.transfers()[0];
  EXPECT_EQ(back.why, "unspent");
  EXPECT_EQ(back.amount_minor, 200);
  EXPECT_EQ(back.debit, reserve_account());
  EXPECT_EQ(back.credit, budget_account());
  EXPECT_EQ(back.credit_owner, project);
  EXPECT_EQ(back.purpose, purpose_of(self, "unspent", list().raw()));
  EXPECT_EQ(out.after.status(), pb::DISBURSEMENT_CANCELLED);
  EXPECT_EQ(out.after.reserve_minor(), 0);
}

TEST(disbursement_cancel, after_the_last_chunk_returns_nothing) {
  auto now = after_command(decided(paying(), 2), cancel());
  now = arrived(now, 0);
  auto out = given_one(now).from(batch(1)).told(chunk_applied(1));
  EXPECT_EQ(out.events(), "chunk_arrived, cancelled");
  EXPECT_TRUE(out.made.transfers().empty());
}

TEST(disbursement_cancel, keeps_its_reason_whatever_the_project_answers) {
  auto cancelling = after_command(reserving(), cancel());
  auto refused = after_message(cancelling, reserve_refused());
  EXPECT_EQ(refused.status(), pb::DISBURSEMENT_CANCELLED);
  EXPECT_EQ(refused.reason(), "no longer needed");
  auto granted = gets(cancelling, reserve_credit()).after;
  EXPECT_EQ(granted.status(), pb::DISBURSEMENT_CANCELLED);
  EXPECT_EQ(granted.paying_since_us(), 0) << "it never paid";
}

TEST(disbursement_pay, returns_what_is_left_over_when_it_completes) {
  auto now = arrived(decided(paying(), 2), 0);
  now.set_reserve_minor(10);
  auto out = given_one(now).from(batch(1)).told(chunk_applied(1));
  EXPECT_EQ(out.events(), "chunk_arrived, unspent_returned, completed");
  ASSERT_EQ(out.made.transfers().size(), 1u);
  EXPECT_EQ(out.made.transfers()[0].amount_minor, 10);
}

TEST(disbursement_end, never_comes_while_an_answer_is_awaited) {
  for (auto& now :
       {arrived(decided(paying(), 2), 0), after_command(decided(paying(), 1), cancel())}) {
    auto broken = now;
    broken.set_reserve_pending(true);
    auto last = now.status() == pb::DISBURSEMENT_CANCELLING ? 0 : 1;
    EXPECT_THROW(given_one(broken).told(chunk_applied(last)), broken_invariant);
  }
}

TEST(disbursement_pay, parks_rather_than_overdraws) {
  auto now = paying();
  now.set_reserve_minor(299);
  EXPECT_THROW(disbursement::proceed(now, given_one(now).ctx()), broken_invariant);
  auto torn = paying();
  torn.mutable_chunks(0)->mutable_lines()->clear_digest();
  EXPECT_THROW(given_one(torn).proceed(), broken_invariant);
}

} // namespace rahat::testing
