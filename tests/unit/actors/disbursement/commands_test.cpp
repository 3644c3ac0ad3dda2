#include "tests/unit/actors/disbursement/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<disbursement>;
using namespace scenes;

struct bad_creation {
  std::string what;
  std::function<void(pb::CreateDisbursement&)> spoil;
  std::string error;
  std::string field;
};

} // namespace

TEST(disbursement_create, refuses_bad_input) {
  std::vector<bad_creation> cases{
      {"no project", [](auto& c) { c.clear_project(); }, "invalid_input", "project"},
      {"half an id", [](auto& c) { c.set_project("12345678"); }, "invalid_input", "project"},
      {"no name", [](auto& c) { c.clear_name(); }, "invalid_input", "name"},
      {"blank name", [](auto& c) { c.set_name("  "); }, "invalid_input", "name"},
      {"long name", [](auto& c) { c.set_name(std::string(201, 'x')); }, "invalid_input", "name"},
      {"U+0000", [](auto& c) { c.set_name(std::string("a\0b", 3)); }, "invalid_input", "name"},
      {"negative", [](auto& c) { c.set_amount_each_minor(-1); }, "invalid_input", "amount_minor"},
      {"huge", [](auto& c) { c.set_amount_each_minor(1'000'000'000'001); }, "invalid_input",
       "amount_minor"},
      {"currency", [](auto& c) { c.set_currency("npr"); }, "invalid_input", "currency"},
      {"half a batch", [](auto& c) { c.add_batches("1"); }, "invalid_input", "batches"},
      {"a batch twice",
       [](auto& c) {
         c.add_batches(batch(0).id.raw());
         c.add_batches(batch(0).id.raw());
       },
       "invalid_input", "batches"},
      {"501 batches",
       [](auto& c) {
         for (int i = 0; i < 501; ++i)
           c.add_batches(batch(i).id.raw());
       },
       "limit_exceeded", "batches"},
  };
  for (auto& bad : cases) {
    auto ask = create();
    bad.spoil(*ask.mutable_create());
    auto out = given_one().when(ask);
    EXPECT_EQ(out.error_name(), bad.error) << bad.what;
    EXPECT_EQ(out.refusal ? out.refusal->field : "", bad.field) << bad.what;
    EXPECT_TRUE(out.plain_error) << bad.what;
  }
}

TEST(disbursement_create, takes_what_stands_at_the_bounds) {
  auto ask = create();
  std::string name;
  for (int i = 0; i < 200; ++i)
    name += "\xe0\xa4\xa8"; // one letter of Devanagari, three bytes
  ask.mutable_create()->set_name(name);
  ask.mutable_create()->set_amount_each_minor(1'000'000'000'000);
  for (int i = 0; i < 500; ++i)
    ask.mutable_create()->add_batches(batch(i).id.raw());
  auto out = given_one().when(ask);
  EXPECT_EQ(out.error_name(), "");
  auto now = after_message(out.after, project_fact(pb::PROJECT_DRAFT));
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_DRAFT);
  EXPECT_EQ(now.details().batches_size(), 500);
  EXPECT_EQ(now.reserve_account(), reserve_account().raw());
}

TEST(disbursement_create, asks_its_project_once_and_answers_the_client_who_waits) {
  auto request = derive_id({"the client's"});
  auto asked = given_one().by("asha").request(request).when(create());
  EXPECT_TRUE(asked.made.postponed());
  ASSERT_EQ(asked.made.told().size(), 1u);
  EXPECT_EQ(asked.made.told()[0].to, project);
  auto question = detail::parsed<pb::ProjectMessage>(asked.made.told()[0].bytes, "unreadable");
  EXPECT_TRUE(question.ask().once()) << "the project need not remember a draft";
  EXPECT_EQ(ref_of(question.ask().asker()), self);

  auto made = given_one(asked.after)
                  .from(project)
                  .at(test_now_us + 5)
                  .told(project_fact(pb::PROJECT_SUSPENDED));
  ASSERT_EQ(made.made.late_answers().size(), 1u);
  EXPECT_EQ(made.made.late_answers()[0].request, request);
  EXPECT_EQ(made.made.late_answers()[0].http_status, 201u);
  EXPECT_EQ(made.after.created_by(), "asha") << "not the project that answered";
  EXPECT_EQ(made.after.created_us(), test_now_us + 5);
  EXPECT_EQ(made.after.waiting_request(), "");
}

TEST(disbursement_create, takes_the_currency_of_the_project) {
  auto ask = create();
  ask.mutable_create()->clear_currency();
  auto now = after_message(after_command({}, ask), project_in_dollars());
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_DRAFT);
  EXPECT_EQ(now.details().currency(), "USD");
}

TEST(disbursement_create, refused_leaves_nothing_behind) {
  struct refusal {
    message told;
    std::string error, field;
  };
  for (auto& [told, error, field] :
       std::vector<refusal>{{no_project(), "not_found", "project_id"},
                            {project_in_dollars(), "wrong_currency", "currency"},
                            {project_fact(pb::PROJECT_CLOSED), "wrong_status", "project_id"}}) {
    auto out = given_one(opening()).from(project).told(told);
    ASSERT_EQ(out.made.late_answers().size(), 1u) << error;
    auto& why = out.made.late_answers()[0].refusal;
    ASSERT_TRUE(why.has_value()) << error;
    EXPECT_EQ(to_string(why->code), error);
    EXPECT_EQ(why->field, field);
    EXPECT_EQ(out.after.SerializeAsString(), "") << error;
    EXPECT_FALSE(disbursement::exists(out.after));
  }
}

TEST(disbursement_create, refused_keeps_money_that_is_in_suspense) {
  auto now = given_one(opening()).from(project).credited(returned_credit()).after;
  now = after_message(now, no_project());
  EXPECT_EQ(now.status(), pb::DISBURSEMENT_NONE);
  ASSERT_EQ(disbursement::totals(now).size(), 1u);
  EXPECT_EQ(disbursement::totals(now)[0].amount_minor, 30);
}

TEST(disbursement_create, is_not_answered_by_another_project) {
  auto told = no_project();
  told.mutable_project()->set_project(derive_id({"another project"}).raw());
  auto out = given_one(opening()).from(project).told(told);
  EXPECT_EQ(out.events(), "");
  EXPECT_EQ(out.effects(), "");
}

TEST(disbursement_create, is_seen_by_nobody_before_the_project_has_answered) {
  EXPECT_FALSE(disbursement::exists(opening()));
  EXPECT_TRUE(disbursement::exists(draft()));
  EXPECT_EQ(given_one(opening()).when(lock()).error_name(), "not_found");
}

TEST(disbursement_approve, is_neither_for_its_creator_nor_for_whoever_locked_it) {
  auto now = after_command(draft(), lock(), "second maker");
  now = after_message(now, project_fact(pb::PROJECT_ACTIVE, 1));
  now = after_message(now, batch_locked(0));
  now = given_one(now).feed({}).proceed().after;
  ASSERT_EQ(now.status(), pb::DISBURSEMENT_LOCKED);
  EXPECT_EQ(given_one(now).by("maker").when(approve(now)).error_name(), "maker_is_checker");
  EXPECT_EQ(given_one(now).by("second maker").when(approve(now)).error_name(), "maker_is_checker");
  EXPECT_EQ(given_one(now).by("checker").when(approve(now)).error_name(), "");
}

TEST(disbursement_approve, names_the_digest_that_was_seen) {
  auto ask = approve(locked());
  ask.mutable_approve()->clear_digest();
  EXPECT_EQ(given_one(locked()).by("checker").when(ask).error_name(), "invalid_input");
  ask.mutable_approve()->set_digest(std::string(view(sha256("another list"))));
  EXPECT_EQ(given_one(locked()).by("checker").when(ask).error_name(), "digest_changed");
}

TEST(disbursement_approve, bounds_the_note) {
  auto ask = approve(locked());
  ask.mutable_approve()->set_note(std::string(1'001, 'x'));
  EXPECT_EQ(given_one(locked()).by("checker").when(ask).error_name(), "invalid_input");
}

TEST(disbursement_reject, needs_a_reason) {
  EXPECT_EQ(given_one(locked()).by("checker").when(scenes::reject("")).error_name(),
            "invalid_input");
  auto out = given_one(approved()).by("checker").when(scenes::reject("wrong village"));
  EXPECT_EQ(out.after.reason(), "wrong village");
  EXPECT_EQ(out.after.approvals_size(), 0);
  EXPECT_EQ(out.after.digest(), "");
}

TEST(disbursement_resume, waits_for_the_project) {
  auto paused = after_message(paying(), project_fact(pb::PROJECT_SUSPENDED));
  ASSERT_EQ(paused.status(), pb::DISBURSEMENT_PAUSED);
  EXPECT_EQ(paused.reason(), "project suspended");
  EXPECT_EQ(given_one(paused).when(resume()).error_name(), "project_not_active");
  auto active = after_message(paused, project_fact(pb::PROJECT_ACTIVE));
  EXPECT_EQ(active.status(), pb::DISBURSEMENT_PAUSED) << "a person resumes, not the project";
  EXPECT_EQ(given_one(active).when(resume()).after.status(), pb::DISBURSEMENT_PAYING);
}

/// It may have been paused for weeks: what it knows is not what it goes by for long.
TEST(disbursement_resume, asks_the_project_again_and_pauses_if_it_is_not_active) {
  auto now = after_command(paying(), scenes::pause());
  auto out = given_one(now).when(resume());
  ASSERT_EQ(out.made.told().size(), 1u);
  EXPECT_EQ(out.made.told()[0].to, project);
  auto question = detail::parsed<pb::ProjectMessage>(out.made.told()[0].bytes, "unreadable");
  EXPECT_EQ(ref_of(question.ask().asker()), self);
  EXPECT_TRUE(question.ask().once());
  EXPECT_EQ(out.after.status(), pb::DISBURSEMENT_PAYING) << "by what it knows";
  auto told = after_message(out.after, project_fact(pb::PROJECT_SUSPENDED, 0, 0));
  EXPECT_EQ(told.status(), pb::DISBURSEMENT_PAUSED);
  EXPECT_EQ(told.reason(), "project suspended");
  EXPECT_EQ(after_message(out.after, project_fact(pb::PROJECT_ACTIVE, 0, 0)).status(),
            pb::DISBURSEMENT_PAYING);
}

TEST(disbursement_pause, by_hand_does_not_hide_a_suspended_project) {
  auto now = after_command(paying(), scenes::pause());
  now = after_message(now, project_fact(pb::PROJECT_CLOSED));
  EXPECT_EQ(given_one(now).when(resume()).error_name(), "project_not_active");
}

TEST(disbursement_pause, bounds_the_reason) {
  EXPECT_EQ(given_one(paying()).when(scenes::pause(std::string(1'001, 'x'))).error_name(),
            "invalid_input");
}

TEST(disbursement_cancel, bounds_the_reason) {
  auto ask = cancel();
  ask.mutable_cancel()->set_reason(std::string(1'001, 'x'));
  EXPECT_EQ(given_one(draft()).when(ask).error_name(), "invalid_input");
}

TEST(disbursement, lists_by_project_and_status) {
  auto keys = disbursement::keys(locked());
  EXPECT_EQ(keys.project, project.id);
  EXPECT_EQ(keys.status, "locked");
  EXPECT_EQ(keys.created_us, test_now_us);
}

TEST(disbursement, does_not_skip_what_it_cannot_read) {
  state now;
  EXPECT_THROW(disbursement::evolve(now, {}), broken_invariant);
  EXPECT_THROW(given_one().told({}), broken_invariant);
  EXPECT_EQ(given_one(draft()).when({}).error_name(), "invalid_input");
}

/// What a decider of ours can never have recorded: the entity is parked rather than go on.
TEST(disbursement, does_not_believe_what_cannot_have_happened) {
  using event = pb::DisbursementEvent;
  auto impossible = [](state now, const event& happened) {
    EXPECT_THROW(disbursement::evolve(now, happened), broken_invariant) << happened.DebugString();
  };
  event answered_twice;
  *answered_twice.mutable_batch_answered()->mutable_answer() = batch_locked(0).batch_locked();
  impossible(asked(), answered_twice);
  event stranger;
  stranger.mutable_batch_answered()->mutable_answer()->set_batch(derive_id({"stranger"}).raw());
  impossible(asked(), stranger);
  event other_sum;
  other_sum.mutable_locked()->set_lines(5);
  other_sum.mutable_locked()->set_amount_minor(501);
  impossible(answered(), other_sum);
  event reserved;
  reserved.mutable_reserved()->set_amount_minor(500);
  impossible(approved(), reserved);
  event skips;
  skips.mutable_chunk_decided()->set_chunk(1);
  impossible(paying(), skips);
  event beyond;
  beyond.mutable_chunk_decided()->set_chunk(2);
  impossible(decided(paying(), 2), beyond);
  event overdraws;
  overdraws.mutable_chunk_decided()->set_chunk(0);
  auto poor = paying();
  poor.set_reserve_minor(299);
  impossible(poor, overdraws);
  event undecided;
  undecided.mutable_chunk_arrived()->set_chunk(0);
  impossible(paying(), undecided);
  impossible(arrived(decided(paying(), 1), 0), undecided); // a second time
  event part;
  part.mutable_unspent_returned()->set_amount_minor(499);
  impossible(paying(), part);
  part.mutable_unspent_returned()->set_amount_minor(501);
  impossible(paying(), part);
}

} // namespace rahat::testing
