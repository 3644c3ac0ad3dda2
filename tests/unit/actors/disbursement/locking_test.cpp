#include "tests/unit/actors/disbursement/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<disbursement>;
using namespace scenes;

outcome hears(const state& now, const message& told) {
  return given_one(now).from(project).told(told);
}

/// A lock of the named batches, before the project has answered.
state locking_named(const std::vector<int>& batches) {
  auto ask = create();
  for (int i : batches)
    ask.mutable_create()->add_batches(batch(i).id.raw());
  return after_command(draft(ask), lock());
}

pb::BatchMessage told_batch(const outcome& out, std::size_t i) {
  return detail::parsed<pb::BatchMessage>(out.made.told().at(i).bytes, "unreadable");
}

} // namespace

TEST(disbursement_lock, gives_each_batch_its_own_numbers) {
  auto ask = create();
  ask.mutable_create()->set_amount_each_minor(250);
  auto now = after_command(draft(ask), lock());
  auto out = hears(now, project_fact(pb::PROJECT_ACTIVE, 3));
  ASSERT_EQ(out.made.told().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    auto question = told_batch(out, i).lock();
    EXPECT_EQ(out.made.told()[i].to, batch(static_cast<int>(i)));
    EXPECT_EQ(question.first_line(), i * 10'000);
    EXPECT_EQ(question.amount_each_minor(), 250);
    EXPECT_EQ(question.list(), list().raw());
    EXPECT_EQ(question.disbursement(), self.id.raw());
  }
  ASSERT_EQ(out.made.accounts().size(), 1u);
  EXPECT_EQ(out.made.accounts()[0].first, reserve_account());
  EXPECT_EQ(out.made.accounts()[0].currency, "NPR");
}

TEST(disbursement_lock, asks_only_the_named_batches_in_their_order) {
  auto out = hears(locking_named({2, 0}), project_fact(pb::PROJECT_ACTIVE, 3));
  ASSERT_EQ(out.made.told().size(), 2u);
  EXPECT_EQ(out.made.told()[0].to, batch(2));
  EXPECT_EQ(out.made.told()[1].to, batch(0));
}

TEST(disbursement_lock, fails_with_the_reason) {
  auto none = project_fact(pb::PROJECT_NONE);
  EXPECT_EQ(hears(locking(), none).after.reason(), "the project does not exist");
  auto suspended = hears(locking(), project_fact(pb::PROJECT_SUSPENDED, 2)).after;
  EXPECT_EQ(suspended.reason(), "the project is not active: activate it first");
  auto empty = hears(locking(), project_fact(pb::PROJECT_ACTIVE, 0)).after;
  EXPECT_EQ(empty.reason(), "the project has no batches: upload a register first");
  EXPECT_EQ(empty.status(), pb::DISBURSEMENT_DRAFT);
  auto foreign = hears(locking_named({7}), project_fact(pb::PROJECT_ACTIVE, 2)).after;
  EXPECT_EQ(foreign.reason(), "batch " + batch(7).id.str() + " is not one of this project");
  auto other = hears(locking(), project_in_dollars()).after;
  EXPECT_EQ(other.reason(), "the project's currency is USD, not NPR");
  auto many = hears(locking(), project_fact(pb::PROJECT_ACTIVE, 501)).after;
  EXPECT_EQ(many.reason(), "the project has more than 500 batches: name those to be paid");
  EXPECT_EQ(many.status(), pb::DISBURSEMENT_DRAFT);
}

TEST(disbursement_lock, covers_a_million_members_and_not_one_more) {
  auto fact = project_fact(pb::PROJECT_ACTIVE, 100);
  for (auto& entry : *fact.mutable_project()->mutable_batches())
    entry.set_members(10'000);
  EXPECT_EQ(hears(locking(), fact).events(), "lock_spread");
  auto& extra = *fact.mutable_project()->add_batches();
  extra.set_id(batch(100).id.raw());
  extra.set_members(1);
  EXPECT_EQ(hears(locking(), fact).events(), "lock_failed");
}

TEST(disbursement_lock, ignores_what_another_project_says) {
  auto fact = project_fact(pb::PROJECT_SUSPENDED);
  fact.mutable_project()->set_project(derive_id({"another project"}).raw());
  EXPECT_EQ(hears(locking(), fact).events(), "");
  EXPECT_EQ(hears(paying(), fact).events(), "");
}

/// News and the answer to a former lock list no batches of this one: they are not its answer.
TEST(disbursement_lock, waits_for_the_answer_to_its_own_question) {
  EXPECT_EQ(hears(locking(), project_fact(pb::PROJECT_ACTIVE, 0, 0)).events(), "");
  auto again = after_command(after_command(locked(), scenes::reject(), "checker"), lock());
  EXPECT_EQ(hears(again, project_fact(pb::PROJECT_ACTIVE, 0, 0)).events(), "");
  EXPECT_EQ(hears(again, project_fact(pb::PROJECT_ACTIVE, 2, 1)).events(), "");
  EXPECT_EQ(hears(again, project_fact(pb::PROJECT_ACTIVE, 2, 2)).events(), "lock_spread");
  auto question = given_one(draft()).when(lock());
  auto asked =
      detail::parsed<pb::ProjectMessage>(question.made.told().at(0).bytes, "unreadable").ask();
  EXPECT_EQ(asked.list(), list(1).raw());
}

TEST(disbursement_lock, orders_chunks_by_the_list_not_by_arrival) {
  auto spread = after_message(locking(), project_fact(pb::PROJECT_ACTIVE, 2));
  auto backwards = after_message(after_message(spread, batch_locked(1)), batch_locked(0));
  auto out = given_one(backwards).feed({}).proceed();
  EXPECT_EQ(out.after.digest(), locked().digest());
  EXPECT_EQ(out.after.chunks(0).lines().first(), 0u);
  EXPECT_EQ(out.after.chunks(1).lines().first(), 10'000u);
  EXPECT_EQ(out.after.lines(), 5u);
  EXPECT_EQ(out.after.amount_minor(), 500);
}

TEST(disbursement_lock, makes_the_digest_that_the_protocol_describes) {
  auto be = [](std::uint64_t value, int bytes) {
    std::string out;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      out += static_cast<char>(value >> shift);
    return out;
  };
  auto chunks = be(0, 4) + be(2, 4) + be(3, 4) + be(300, 8) +
                std::string(view(sha256("lines of batch 0"))) + be(10'000, 4) + be(10'001, 4) +
                be(2, 4) + be(200, 8) + std::string(view(sha256("lines of batch 1")));
  auto expected = hash_parts({"paylist v1", list().raw(), "NPR", be(5, 8), be(500, 8), chunks});
  EXPECT_EQ(locked().digest(), view(expected));
}

TEST(disbursement_lock, drops_empty_chunks) {
  auto answer = batch_locked(1);
  auto& empty = *answer.mutable_batch_locked()->add_chunks();
  empty.set_chunk(1);
  empty.set_first(11'000);
  empty.set_last(11'999);
  EXPECT_EQ(after_message(asked(), answer).chunks_size(), 2);
}

TEST(disbursement_lock, fails_when_nobody_has_an_amount) {
  auto spread = after_message(locking(), project_fact(pb::PROJECT_ACTIVE, 1));
  message answer;
  answer.mutable_batch_locked()->set_batch(batch(0).id.raw());
  answer.mutable_batch_locked()->set_list(list().raw());
  auto out = hears(spread, answer);
  EXPECT_EQ(out.events(), "batch_answered, lock_failed");
  EXPECT_EQ(out.effects(), "tell batch unlock");
}

TEST(disbursement_lock, takes_an_answer_that_does_not_add_up_as_a_refusal) {
  using answer = pb::BatchLocked;
  std::vector<std::pair<std::string, std::function<void(answer&)>>> cases{
      {"count", [](answer& a) { a.set_count(7); }},
      {"sum", [](answer& a) { a.set_sum_minor(7); }},
      {"chunk count", [](answer& a) { a.mutable_chunks(0)->set_count(3), a.set_count(3); }},
      {"numbers of another batch", [](answer& a) { a.mutable_chunks(0)->set_first(9'999); }},
      {"numbers beyond", [](answer& a) { a.mutable_chunks(0)->set_last(20'000); }},
      {"no digest", [](answer& a) { a.mutable_chunks(0)->clear_digest(); }},
      {"negative",
       [](answer& a) { a.mutable_chunks(0)->set_sum_minor(-200), a.set_sum_minor(-200); }},
      {"overlap", [](answer& a) { *a.add_chunks() = a.chunks(0), a.set_count(4); }},
  };
  for (auto& [what, spoil] : cases) {
    auto told = batch_locked(1);
    spoil(*told.mutable_batch_locked());
    auto out = hears(asked(), told);
    EXPECT_EQ(out.events(), "batch_answered, lock_failed") << what;
    EXPECT_EQ(out.effects(), "tell batch unlock, tell batch unlock") << what;
    EXPECT_NE(out.after.reason(), "") << what;
  }
}

TEST(disbursement_lock, refuses_sums_that_could_overflow) {
  auto told = batch_locked(1);
  auto& answer = *told.mutable_batch_locked();
  auto& second = *answer.add_chunks();
  second = answer.chunks(0);
  second.set_chunk(1);
  second.set_first(11'000);
  second.set_last(11'001);
  for (auto& chunk : *answer.mutable_chunks())
    chunk.set_sum_minor(5'000'000'000'000'000);
  answer.set_count(4);
  answer.set_sum_minor(10'000'000'000'000'000);
  EXPECT_EQ(hears(asked(), told).events(), "batch_answered") << "just at the bound";
  answer.mutable_chunks(1)->set_sum_minor(5'000'000'000'000'001);
  answer.set_sum_minor(10'000'000'000'000'001);
  EXPECT_EQ(hears(asked(), told).events(), "batch_answered, lock_failed");
}

TEST(disbursement_lock, counts_no_lines_of_a_batch_that_refused) {
  auto told = batch_locked(1);
  told.mutable_batch_locked()->set_refused("the batch is frozen");
  auto out = hears(asked(), told);
  EXPECT_EQ(out.events(), "batch_answered, lock_failed");
  auto event = detail::parsed<pb::DisbursementEvent>(out.made.events()[0].bytes, "");
  EXPECT_EQ(event.batch_answered().answer().count(), 0u);
  EXPECT_EQ(event.batch_answered().answer().refused(), "the batch is frozen");
}

TEST(disbursement_lock, waits_for_every_batch_before_it_fails) {
  auto spread = after_message(locking(), project_fact(pb::PROJECT_ACTIVE, 2));
  auto refused = hears(spread, batch_refused(0));
  EXPECT_EQ(refused.events(), "batch_answered");
  auto out = hears(refused.after, batch_locked(1));
  EXPECT_EQ(out.events(), "batch_answered, lock_failed");
  EXPECT_EQ(out.effects(), "tell batch unlock");
  EXPECT_EQ(out.made.told()[0].to, batch(1));
  EXPECT_EQ(out.after.reason(), "batch " + batch(0).id.str() + ": the batch is frozen");
}

TEST(disbursement_lock, looks_for_persons_in_two_batches) {
  auto request = disbursement::feed_for(answered());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->kind, feed_request::what::line_duplicates);
  EXPECT_EQ(request->id, list());
  EXPECT_FALSE(disbursement::feed_for(paying()));
  EXPECT_EQ(given_one(answered()).proceed().events(), "") << "nothing is locked unseen";

  wire::Feed duplicates;
  duplicates.set_total(2);
  duplicates.add_rows()->set_ordinal(10'000);
  duplicates.add_rows()->set_ordinal(10'001);
  auto out = given_one(answered()).feed(duplicates).proceed();
  EXPECT_EQ(out.events(), "lock_failed");
  EXPECT_EQ(out.effects(), "tell batch unlock, tell batch unlock");
  EXPECT_EQ(out.after.reason(),
            "lines_rejected: 2 lines pay a person who has an earlier line; the first of them: "
            "10000, 10001");
}

TEST(disbursement_lock, again_makes_another_list_and_lets_late_batches_go) {
  auto again = after_command(after_command(locked(), scenes::reject(), "checker"), lock());
  EXPECT_EQ(again.list(), list(2).raw());
  auto spread = hears(again, project_fact(pb::PROJECT_ACTIVE, 2, 2));
  EXPECT_EQ(spread.effects(), "tell batch lock, tell batch lock") << "its account is open already";
  auto late = hears(spread.after, batch_locked(0, 1));
  EXPECT_EQ(late.events(), "");
  ASSERT_EQ(late.effects(), "tell batch unlock");
  EXPECT_EQ(told_batch(late, 0).unlock().list(), list(1).raw());
  EXPECT_EQ(hears(spread.after, batch_locked(0, 2)).events(), "batch_answered");
}

} // namespace rahat::testing
