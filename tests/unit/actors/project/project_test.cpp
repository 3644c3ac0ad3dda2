#include "actors/project/project.hpp"

#include "actors/disbursement/disbursement.pb.h"
#include "actors/upload/upload.pb.h"
#include "tests/unit/actors/project/fixture.hpp"
#include "tests/unit/actors/support/playground.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {
namespace {

using world = given<project>;

world then(const outcome_of<project>& out) {
  return world(out.after).as(project_self);
}

world active(std::int64_t budget_minor) {
  auto now = then(world().as(project_self).when(create()));
  return then(then(now.when(activate())).when(fund(budget_minor)));
}

TEST(project, names_what_is_wrong_with_a_new_one) {
  auto field = [](const pb::ProjectCommand& ask) {
    auto out = world().as(project_self).when(ask);
    return out.refusal ? out.refusal->field : std::string("none");
  };
  EXPECT_EQ(field(create(std::string(200, 'n'))), "none");
  EXPECT_EQ(field(create(std::string(201, 'n'))), "name");
  EXPECT_EQ(field(create(std::string("a\0b", 3))), "name");
  EXPECT_EQ(field(create("  ")), "name");
  EXPECT_EQ(field(create("F", "NP")), "currency");
  EXPECT_EQ(field(create("F", "RUPEE")), "currency");
  EXPECT_EQ(field(create("F", "NPR", "2026-02-30")), "starts_on");
  EXPECT_EQ(field(create("F", "NPR", "1.7.2026")), "starts_on");
  EXPECT_EQ(field(create("F", "NPR", "2026-07-01", "2026-7-1")), "ends_on");
  EXPECT_EQ(field(create("F", "NPR", "2026-07-01", "2026-06-30")), "ends_on");
  EXPECT_EQ(field(create("F", "NPR", "2026-07-01", "2026-07-01")), "none");
  EXPECT_EQ(field(create("F", "NPR", "", "2024-02-29")), "none");
}

TEST(project, counts_characters_not_bytes) {
  std::string name;
  for (int i = 0; i < 200; ++i)
    name += "\u0928";
  EXPECT_FALSE(world().as(project_self).when(create(name)).refusal);
}

TEST(project, funding_says_what_the_budget_holds) {
  auto out = active(1'000).when(fund(234));
  pb::ProjectAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(*out.made.own_answer()));
  EXPECT_EQ(answer.funding().budget_minor(), 1'234);
  EXPECT_EQ(answer.funding().reference(), "grant 7");
  auto& t = out.made.transfers().at(0);
  EXPECT_EQ(t.debit, outside_account());
  EXPECT_EQ(t.credit, budget_account());
  EXPECT_EQ(t.reference, "grant 7");
  EXPECT_EQ(out.after.budget_minor(), 1'234);
  EXPECT_EQ(out.after.outside_minor(), -1'234);
}

TEST(project, is_not_given_more_than_its_bound_in_all) {
  auto now = active(project::max_funded_minor - 1);
  EXPECT_EQ(now.when(fund(2)).error_name(), "limit_exceeded");
  EXPECT_EQ(now.when(fund(INT64_MAX)).error_name(), "limit_exceeded");
  EXPECT_EQ(now.when(fund(-1)).error_name(), "invalid_input");
  EXPECT_FALSE(now.when(fund(1)).refusal);
}

/// A donor's reference may come again, as with instalments: the request tells fundings apart.
TEST(project, takes_a_donors_reference_again_under_another_request) {
  playground play;
  play.add_kind<project>();
  auto ask = [&](const pb::ProjectCommand& c, const std::string& key) {
    return play.ask(project_self, c, {"maker", "maker"}, derive_id({"request", key}));
  };
  ASSERT_TRUE(ask(create(), "create").ok());
  for (auto* key : {"january", "february", "february"}) // the last one is a retry
    EXPECT_EQ(ask(fund(500), key).status, 201u) << key;
  EXPECT_EQ(play.transfer_count(), 2u);
  EXPECT_EQ(play.balance(budget_account()), 1'000);
  EXPECT_EQ(play.state_of<project>(project_self.id).fundings(), 2u);
}

TEST(project, two_fundings_never_share_a_key) {
  auto now = active(1);
  auto one = now.request(derive_id({"r1"})).when(fund(5)).made.transfers().at(0).purpose;
  auto two = now.request(derive_id({"r2"})).when(fund(5)).made.transfers().at(0).purpose;
  EXPECT_NE(one, two);
}

TEST(project, a_refused_reserve_says_what_to_do) {
  auto out = active(100).told(reserve(101));
  pb::DisbursementMessage news;
  ASSERT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
  EXPECT_EQ(news.reserve().refused(),
            "the budget holds 100 minor units of NPR, the pay list needs 101: fund the project "
            "first");
  EXPECT_EQ(news.reserve().list(), derive_id({"list"}).raw());
  EXPECT_EQ(out.after.budget_minor(), 100);
}

TEST(project, a_granted_reserve_is_the_credit_itself) {
  auto out = active(100).told(reserve(100));
  auto& t = out.made.transfers().at(0);
  EXPECT_EQ(t.credit, a_reserve);
  EXPECT_EQ(t.credit_owner, a_disbursement);
  EXPECT_EQ(t.why, "reserve");
  EXPECT_EQ(t.reference, hex(derive_id({"list"}).raw()));
  EXPECT_EQ(out.after.budget_minor(), 0);
  EXPECT_EQ(out.after.reservations(0).amount_minor(), 100);
}

TEST(project, tells_its_batches_only_to_those_who_ask_for_them) {
  auto now = then(active(1).told(batch_opened(a_batch, 42)));
  auto fact = [](const outcome_of<project>& out) {
    pb::DisbursementMessage news;
    EXPECT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
    return news.project();
  };
  EXPECT_EQ(fact(now.told(ask_from(a_disbursement))).batches_size(), 0);
  auto with = fact(now.told(ask_from(a_disbursement, true)));
  ASSERT_EQ(with.batches_size(), 1);
  EXPECT_EQ(with.batches(0).members(), 42u);
  EXPECT_EQ(with.status(), pb::PROJECT_ACTIVE);
  EXPECT_EQ(with.at_us(), test_now_us);
}

/// So that an asker tells the answer to its question from news and from older answers.
TEST(project, says_in_an_answer_what_was_asked_and_in_news_nothing) {
  auto question = ask_from(a_disbursement, true);
  question.mutable_ask()->set_list("list 7");
  auto fact = [](const outcome_of<project>& out) {
    pb::DisbursementMessage news;
    EXPECT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
    return news.project();
  };
  auto asked = active(1).told(question);
  EXPECT_EQ(fact(asked).list(), "list 7");
  EXPECT_EQ(fact(then(asked).when(suspend())).list(), "");
}

TEST(project, tells_whoever_asked_once_no_news) {
  auto asked = then(active(1).told(ask_once(a_disbursement)));
  EXPECT_EQ(asked.state().askers_size(), 0);
  EXPECT_TRUE(asked.when(suspend()).made.told().empty());
}

TEST(project, lists_a_batch_once) {
  auto once = then(active(1).told(batch_opened()));
  auto out = once.told(batch_opened());
  EXPECT_EQ(out.events(), "");
  EXPECT_EQ(out.after.members(), 10u);
}

TEST(project, answers_but_does_not_remember_beyond_its_bound_of_askers) {
  auto state = active(1).state();
  for (int i = 0; i < project::max_askers; ++i)
    assign(*state.add_askers(), {"batch", derive_id({"asker", std::to_string(i)})});
  auto out = world(state).as(project_self).told(ask_from(a_batch));
  EXPECT_EQ(out.events(), "");
  EXPECT_EQ(out.effects(), "tell batch project");
}

pb::ProjectStatus news_to_disbursement(const outcome_of<project>& out) {
  pb::DisbursementMessage news;
  EXPECT_TRUE(news.ParseFromString(out.made.told().back().bytes));
  return news.project().status();
}

/// Or it would pay on, because the list of askers was full when it asked.
TEST(project, tells_its_news_to_whoever_holds_a_reserve_even_if_there_was_no_place_for_it) {
  auto state = active(1'000).state();
  for (int i = 0; i < project::max_askers; ++i)
    assign(*state.add_askers(), {"batch", derive_id({"asker", std::to_string(i)})});
  auto now = then(world(state).as(project_self).told(ask_from(a_disbursement)));
  ASSERT_EQ(now.state().askers_size(), project::max_askers);
  auto paying = then(now.told(reserve(300)));
  auto suspended = paying.when(suspend());
  ASSERT_EQ(suspended.made.told().size(), project::max_askers + 1u);
  EXPECT_EQ(suspended.made.told().back().to, a_disbursement);
  EXPECT_EQ(news_to_disbursement(suspended), pb::PROJECT_SUSPENDED);
  auto again = then(suspended).when(activate());
  EXPECT_EQ(again.made.told().back().to, a_disbursement);
  EXPECT_EQ(news_to_disbursement(again), pb::PROJECT_ACTIVE);
  auto ended = then(then(again).told(reservation_ended()));
  EXPECT_EQ(ended.when(suspend()).made.told().size(), project::max_askers + 0u);
}

TEST(project, tells_its_news_to_nobody_twice) {
  auto asked = then(active(1'000).told(ask_from(a_disbursement)));
  auto out = then(asked.told(reserve(300))).when(suspend());
  ASSERT_EQ(out.made.told().size(), 1u);
  EXPECT_EQ(out.made.told()[0].to, a_disbursement);
}

pb::BatchJoinedProject word_to_upload(const outcome_of<project>& out) {
  EXPECT_EQ(out.made.told().at(0).to, an_upload);
  pb::UploadMessage news;
  EXPECT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
  return news.joined();
}

TEST(project, tells_the_upload_that_its_batch_has_joined) {
  auto word = word_to_upload(active(1).told(batch_opened()));
  EXPECT_EQ(word.index(), 3u);
  EXPECT_EQ(word.refused(), "");
}

TEST(project, turns_a_batch_away_beyond_its_bound_and_tells_the_upload) {
  auto state = active(1).state();
  for (int i = 0; i < project::max_batches - 1; ++i)
    state.add_batches()->set_id(derive_id({"batch", std::to_string(i)}).raw());
  auto last = world(state).as(project_self).told(batch_opened());
  EXPECT_EQ(last.events(), "batch_joined");
  auto full = then(last);
  pb::UploadMessage fact;
  ASSERT_TRUE(fact.ParseFromString(full.told(ask_from(an_upload)).made.told().at(0).bytes));
  EXPECT_TRUE(fact.project().full()) << "no further upload is begun";
  auto out = full.told(batch_opened({"batch", derive_id({"one more"})}));
  EXPECT_EQ(out.events(), "batch_turned_away");
  EXPECT_EQ(out.after.batches_size(), project::max_batches);
  auto word = word_to_upload(out);
  EXPECT_EQ(word.index(), 3u);
  EXPECT_EQ(word.refused(),
            "the project has 5000 batches: upload these households to another project");
}

/// Places that are kept are as good as taken, for everybody but their upload.
TEST(project, keeps_places_for_all_batches_of_an_upload_or_for_none) {
  auto state = active(1).state();
  for (int i = 0; i < project::max_batches - 3; ++i)
    state.add_batches()->set_id(derive_id({"batch", std::to_string(i)}).raw());
  auto now = world(state).as(project_self);
  auto word = [](const outcome_of<project>& out) {
    pb::UploadMessage news;
    EXPECT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
    return news.places().refused();
  };
  auto refused = now.told(ask_places(4));
  EXPECT_EQ(word(refused),
            "the project has room for 3 more batches of 5000 and the register needs "
            "4: upload these households to another project");
  EXPECT_EQ(refused.after.places_size(), 0);
  auto kept = then(now.told(ask_places(2)));
  EXPECT_NE(word(kept.told(ask_places(2, derive_id({"another"})))), "");
  auto full = then(kept.told(ask_places(1, derive_id({"another"}))));
  auto stranger = batch_opened({"batch", derive_id({"stranger"})});
  stranger.mutable_batch_opened()->set_upload(derive_id({"nobody"}).raw());
  EXPECT_EQ(full.told(stranger).events(), "batch_turned_away");
  auto first = then(full.told(batch_opened({"batch", derive_id({"first"})})));
  EXPECT_EQ(first.state().places(0).batches(), 1u);
  auto second = first.told(batch_opened({"batch", derive_id({"second"})}));
  EXPECT_EQ(second.events(), "batch_joined");
  EXPECT_EQ(second.after.places_size(), 1) << "the other upload's";
  EXPECT_EQ(then(second).told(batch_opened({"batch", derive_id({"third"})})).events(),
            "batch_turned_away")
      << "it had two places";
}

TEST(project, refuses_a_reserve_beyond_its_bound) {
  auto state = active(1'000).state();
  for (int i = 0; i < project::max_reservations; ++i)
    assign(*state.add_reservations()->mutable_disbursement(),
           {"disbursement", derive_id({"d", std::to_string(i)})});
  EXPECT_EQ(world(state).as(project_self).told(reserve(1)).events(), "reserve_refused");
}

TEST(project, parks_who_cannot_be_told) {
  EXPECT_THROW(active(1).told(ask_from({"vendor", derive_id({"v"})})), broken_invariant);
}

TEST(project, does_not_skip_an_event_that_it_does_not_know) {
  pb::ProjectState now;
  EXPECT_THROW(project::evolve(now, pb::ProjectEvent()), broken_invariant);
}

TEST(project, keeps_a_stray_return_and_counts_it) {
  auto out = active(10).credited(credit_to(derive_id({"nowhere"}), 7, "USD", "return"));
  EXPECT_EQ(out.effects(), "");
  auto totals = project::totals(out.after);
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].amount_minor, 0);
  EXPECT_EQ(totals[1].currency, "USD");
  EXPECT_EQ(totals[1].amount_minor, 7);
}

/// Random commands, messages and credits: the playground checks the books after each commit.
class project_property : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(project_property, money_is_neither_made_nor_lost) {
  std::mt19937_64 random(GetParam());
  playground all(GetParam());
  all.add_kind<project>();
  auto amount = [&] { return static_cast<std::int64_t>(random() % 300) + 1; };
  std::uint64_t ids = 0;
  auto pay = [&](const uuid& account, std::int64_t minor, std::string why) {
    transfer t;
    t.purpose = derive_id({"stranger", std::to_string(++ids)});
    t.debit = a_reserve;
    t.credit = account;
    t.amount_minor = minor;
    t.currency = random() % 8 == 0 ? "USD" : "NPR";
    t.credit_owner = project_self;
    t.why = std::move(why);
    all.pay(a_disbursement, t);
  };
  auto ask = [&](const pb::ProjectCommand& c) { all.ask(project_self, c, {"maker", "maker"}); };
  for (int i = 0; i < 400; ++i) {
    switch (random() % 12) {
      case 0: ask(create()); break;
      case 1: ask(activate()); break;
      case 2: ask(suspend()); break;
      case 3:
        if (random() % 20 == 0)
          ask(close());
        break;
      case 4:
      case 5: ask(fund(amount())); break;
      case 6:
      case 7:
        all.tell(a_disbursement, project_self,
                 reserve(amount(), "NPR", derive_id({"list", std::to_string(++ids)})));
        break;
      case 8: all.tell(a_disbursement, project_self, reservation_ended()); break;
      case 9: pay(random() % 2 == 0 ? budget_account() : outside_account(), amount(), "x"); break;
      case 10: pay(derive_id({"nowhere"}), amount(), random() % 2 == 0 ? "return" : "x"); break;
      default: all.tell(a_batch, project_self, ask_from(a_batch));
    }
    while (random() % 3 != 0 && all.step()) {
    }
  }
  all.run();
  auto now = all.state_of<project>(project_self.id);
  EXPECT_GE(now.budget_minor(), 0);
  EXPECT_EQ(now.budget_minor(), all.balance(budget_account()));
  EXPECT_EQ(now.outside_minor(), all.balance(outside_account()));
  if (now.status() == pb::PROJECT_CLOSED) {
    EXPECT_EQ(now.budget_minor(), 0);
  }
  all.check_replay();
}

INSTANTIATE_TEST_SUITE_P(seeds, project_property, ::testing::Range<std::uint64_t>(1, 41));

} // namespace
} // namespace rahat::testing
