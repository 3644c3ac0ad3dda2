#include "actors/upload/upload.hpp"

#include "actors/batch/batch.pb.h"
#include "actors/project/project.pb.h"
#include "tests/unit/actors/upload/fixture.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {
namespace {

pb::Enroll enrolment_in(const decision& d, std::size_t index) {
  pb::BatchMessage m;
  EXPECT_TRUE(m.ParseFromString(d.told().at(index).bytes));
  return m.enroll();
}

pb::AskPlaces places_asked_in(const decision& d) {
  pb::ProjectMessage m;
  EXPECT_TRUE(m.ParseFromString(d.told().at(0).bytes));
  return m.ask_places();
}

TEST(upload, waits_for_the_project_before_it_answers) {
  auto request = derive_id({"the request"});
  auto out = upload_world().as(upload_self).request(request).when(open());
  EXPECT_TRUE(out.made.postponed());
  auto& told = out.made.told().at(0);
  EXPECT_EQ(told.to, a_project);
  auto answered = then(out).told(project_is(pb::PROJECT_ACTIVE));
  auto& late = answered.made.late_answers().at(0);
  EXPECT_EQ(late.request, request);
  EXPECT_EQ(late.http_status, 201u);
  EXPECT_EQ(late.answer, ""); // the view
  EXPECT_EQ(answered.after.currency(), "NPR");
}

TEST(upload, numbers_good_rows_densely_over_its_chunks) {
  auto first = receiving().when(chunk(0, 3));
  pb::UploadCommand second;
  second.mutable_stage()->set_chunk(1);
  add_row(second, 4, "d", 50);
  add_error(second, 5, "birth_date");
  add_error(second, 5, "gender");
  add_row(second, 6, "e");
  auto out = then(first).when(second);
  auto& staged = out.made.staged().at(0);
  EXPECT_EQ(staged.upload, upload_self.id);
  ASSERT_EQ(staged.rows.size(), 2u);
  EXPECT_EQ(staged.rows[0].ordinal, 3u);
  EXPECT_EQ(staged.rows[1].ordinal, 4u);
  EXPECT_EQ(staged.rows[1].row, 6u);
  EXPECT_EQ(staged.errors.size(), 2u);
  EXPECT_EQ(out.after.good_rows(), 5u);
  EXPECT_EQ(out.after.bad_rows(), 1u); // one row with two faults
  EXPECT_EQ(out.after.amount_minor(), 350);
  pb::UploadAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(*out.made.own_answer()));
  EXPECT_EQ(answer.staged().good(), 2u);
  EXPECT_EQ(answer.staged().bad(), 1u);
}

TEST(upload, the_journal_covers_what_was_staged) {
  auto digest_in = [](const pb::UploadCommand& rows) {
    auto out = receiving().when(rows);
    pb::UploadEvent event;
    EXPECT_TRUE(event.ParseFromString(out.made.events().at(0).bytes));
    EXPECT_EQ(event.staged().digest(), view(digest_of(out.made.staged().at(0))));
    return event.staged().digest();
  };
  auto rows = chunk(0, 2);
  auto original = digest_in(rows);
  rows.mutable_stage()->mutable_rows(1)->set_sealed("sealed 2");
  EXPECT_NE(digest_in(rows), original);
  rows = chunk(0, 2);
  rows.mutable_stage()->mutable_rows(0)->set_amount_minor(101);
  EXPECT_NE(digest_in(rows), original);
  rows = chunk(0, 2);
  add_error(rows, 3);
  EXPECT_NE(digest_in(rows), original);
}

TEST(upload, takes_at_most_a_million_rows) {
  auto state = receiving().state();
  state.set_good_rows(upload::max_rows - 1);
  auto now = upload_world(state).as(upload_self);
  EXPECT_EQ(now.when(chunk(0, 2)).error_name(), "limit_exceeded");
  EXPECT_FALSE(now.when(chunk(0, 1)).refusal);
}

TEST(upload, keeps_its_amounts_exact) {
  auto state = receiving().state();
  state.set_amount_minor(upload::max_amount_minor - 150);
  auto now = upload_world(state).as(upload_self);
  EXPECT_EQ(now.when(chunk(0, 2)).error_name(), "limit_exceeded");
  EXPECT_FALSE(now.when(chunk(0, 1)).refusal);
  auto huge = chunk(0, 1);
  huge.mutable_stage()->mutable_rows(0)->set_amount_minor(INT64_MAX);
  EXPECT_EQ(now.when(huge).error_name(), "limit_exceeded");
}

TEST(upload, refuses_rows_that_the_store_could_not_hold) {
  auto with = [](auto change) {
    auto rows = chunk(0, 1);
    add_error(rows, 2);
    change(*rows.mutable_stage());
    return receiving().when(rows).error_name();
  };
  EXPECT_EQ(with([](auto&) {}), "");
  EXPECT_EQ(with([](auto& c) { c.mutable_rows(0)->set_row(0); }), "invalid_input");
  EXPECT_EQ(with([](auto& c) { c.mutable_rows(0)->set_person("x"); }), "invalid_input");
  EXPECT_EQ(with([](auto& c) { c.mutable_rows(0)->set_sealed(std::string(8'193, 's')); }),
            "limit_exceeded");
  EXPECT_EQ(with([](auto& c) { c.mutable_errors(0)->set_row(0); }), "invalid_input");
  EXPECT_EQ(with([](auto& c) { c.mutable_errors(0)->set_message(std::string("a\0b", 3)); }),
            "invalid_input");
}

TEST(upload, leaves_repeated_households_out_and_says_which) {
  auto now = then(then(receiving().when(chunk(0, 5))).when(close_after(1)));
  auto out = now.feed(repeated(2, 3)).proceed();
  EXPECT_EQ(out.after.duplicates(), 2u);
  auto ask = enrolment_in(then(out).told(places()).made, 0);
  EXPECT_EQ(ask.first(), 0u);
  EXPECT_EQ(ask.last(), 4u);
  ASSERT_EQ(ask.excluded_size(), 2);
  EXPECT_EQ(ask.excluded(0), 3u);
  EXPECT_EQ(ask.currency(), "NPR");
  auto& errors = out.made.staged().at(0).errors;
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].row, 4u);
  EXPECT_NE(errors[0].message.find("earlier row"), std::string::npos);
}

TEST(upload, splits_its_rows_into_batches_of_ten_thousand) {
  auto now = receiving(pb::UPLOAD_ALL);
  for (std::uint32_t i = 0; i < 21; ++i)
    now = then(now.when(chunk(i, i == 20 ? 1 : 1'000, i * 1'000)));
  auto out = placed(then(now.when(close_after(21))));
  ASSERT_EQ(out.made.told().size(), 3u);
  EXPECT_EQ(enrolment_in(out.made, 1).first(), 10'000u);
  EXPECT_EQ(enrolment_in(out.made, 1).last(), 19'999u);
  EXPECT_EQ(enrolment_in(out.made, 2).first(), 20'000u);
  EXPECT_EQ(enrolment_in(out.made, 2).last(), 20'000u);
  EXPECT_EQ(out.made.told()[2].to.id, upload::batch_id(upload_self.id, 2));
}

TEST(upload, makes_no_batch_of_rows_that_are_all_repeated) {
  auto now = receiving();
  for (std::uint32_t i = 0; i < 11; ++i)
    now = then(now.when(chunk(i, i == 10 ? 2 : 1'000, i * 1'000)));
  auto asked = then(now.when(close_after(11))).feed(repeated(2, 10'000)).proceed();
  EXPECT_EQ(asked.effects(), "stage, tell project ask_places");
  EXPECT_EQ(places_asked_in(asked.made).batches(), 1u) << "one batch will be made";
  auto out = then(asked).told(places());
  EXPECT_EQ(out.events(), "places_kept, batch_done");
  EXPECT_EQ(out.effects(), "tell batch enroll");
  auto accepted = then(out).told(batch_enrolled(0, 10'000));
  EXPECT_EQ(accepted.effects(), "tell batch accept");
  EXPECT_EQ(accepted.after.status(), pb::UPLOAD_ACCEPTING);
  EXPECT_EQ(accepted.after.members(), 10'000u);
  auto finished = then(accepted).at(test_now_us + 9).told(batch_joined(0));
  EXPECT_EQ(finished.after.status(), pb::UPLOAD_ACCEPTED)
      << "the batch that was not made is not waited for";
  EXPECT_EQ(finished.after.accepted_us(), test_now_us + 9);
  EXPECT_THROW(then(accepted).told(batch_joined(1)), broken_invariant);
}

TEST(upload, asks_for_room_for_all_of_its_batches_before_it_makes_one) {
  auto now = receiving(pb::UPLOAD_ALL);
  for (std::uint32_t i = 0; i < 11; ++i)
    now = then(now.when(chunk(i, 1'000, i * 1'000)));
  auto asked = then(now.when(close_after(11))).feed({}).proceed();
  ASSERT_EQ(asked.made.told().size(), 1u);
  EXPECT_EQ(asked.made.told()[0].to, a_project);
  EXPECT_EQ(places_asked_in(asked.made).batches(), 2u);
  EXPECT_EQ(places_asked_in(asked.made).upload(), upload_self.id.raw());
  EXPECT_EQ(asked.after.status(), pb::UPLOAD_CHECKING);
  EXPECT_FALSE(upload::has_work(asked.after)) << "its next step is the project's";
  auto refused = then(asked).told(places("the project has room for 1 more batches"));
  EXPECT_EQ(refused.after.status(), pb::UPLOAD_REJECTED);
  EXPECT_EQ(refused.after.reason(), "the project has room for 1 more batches");
  EXPECT_TRUE(refused.made.told().empty()) << "nothing was made, nothing is undone";
}

/// One that an earlier version has checked has no places.
TEST(upload, has_failed_when_a_batch_could_not_join_and_says_why) {
  auto now = receiving(pb::UPLOAD_ALL);
  for (std::uint32_t i = 0; i < 11; ++i)
    now = then(now.when(chunk(i, 1'000, i * 1'000)));
  now = then(placed(then(now.when(close_after(11)))));
  now = then(then(now.told(batch_enrolled(0, 10'000))).told(batch_enrolled(1, 1'000)));
  auto refused = now.told(batch_joined(1, "the project has 5000 batches"));
  EXPECT_EQ(refused.events(), "batch_joined");
  EXPECT_EQ(refused.effects(), "tell batch drop");
  EXPECT_EQ(refused.made.told()[0].to.id, upload::batch_id(upload_self.id, 1));
  EXPECT_EQ(refused.after.reason(), "1 of 2 batches could not join: the project has 5000 batches");
  EXPECT_EQ(refused.after.status(), pb::UPLOAD_ACCEPTING) << "the other has not answered";
  auto last = then(refused).told(batch_joined(0));
  EXPECT_EQ(last.after.status(), pb::UPLOAD_FAILED);
  EXPECT_EQ(last.after.reason(), "1 of 2 batches could not join: the project has 5000 batches");
  EXPECT_EQ(last.after.batches_open(), 1u);
  EXPECT_EQ(last.after.accepted_us(), 0);
}

TEST(upload, that_was_checked_before_places_were_asked_for_goes_on) {
  auto state = then(then(receiving(pb::UPLOAD_ALL).when(chunk(0, 3))).when(close_after(1))).state();
  pb::UploadEvent checked;
  checked.mutable_checked()->set_batches(1);
  upload::evolve(state, checked);
  EXPECT_EQ(state.status(), pb::UPLOAD_ENROLLING);
  auto out = upload_world(state).as(upload_self).told(batch_enrolled(0, 3));
  EXPECT_EQ(out.after.status(), pb::UPLOAD_ACCEPTING);
}

TEST(upload, parks_a_batch_that_joins_twice) {
  auto now = receiving(pb::UPLOAD_ALL);
  for (std::uint32_t i = 0; i < 11; ++i)
    now = then(now.when(chunk(i, 1'000, i * 1'000)));
  now = then(placed(then(now.when(close_after(11)))));
  now = then(then(now.told(batch_enrolled(0, 10'000))).told(batch_enrolled(1, 1'000)));
  auto once = then(now.told(batch_joined(1)));
  EXPECT_THROW(once.told(batch_joined(1)), broken_invariant);
  EXPECT_THROW(once.told(batch_joined(2)), broken_invariant);
}

TEST(upload, clients_see_it_once_it_was_opened) {
  EXPECT_FALSE(upload::exists({}));
  EXPECT_TRUE(upload::exists(opening().state()));
}

TEST(upload, moves_its_timer_with_every_chunk) {
  auto out = receiving().at(test_now_us + 5).when(chunk(0, 1));
  EXPECT_EQ(out.made.timers().at(0).second, test_now_us + 5 + upload::abandon_after_us);
}

TEST(upload, asks_only_for_what_it_checks) {
  EXPECT_FALSE(upload::feed_for(receiving().state()));
  auto now = then(then(receiving().when(chunk(0, 1))).when(close_after(1)));
  auto ask = upload::feed_for(now.state());
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->kind, feed_request::what::upload_duplicates);
  EXPECT_EQ(ask->id, upload_self.id);
  EXPECT_EQ(ask->limit, 10'000u);
  EXPECT_THROW(now.proceed(), broken_invariant); // not without its rows
}

TEST(upload, parks_a_batch_that_answers_twice) {
  auto now = receiving(pb::UPLOAD_ALL);
  for (std::uint32_t i = 0; i < 11; ++i)
    now = then(now.when(chunk(i, 1'000, i * 1'000)));
  auto once = then(then(placed(then(now.when(close_after(11))))).told(batch_enrolled(0, 10'000)));
  EXPECT_THROW(once.told(batch_enrolled(0, 10'000)), broken_invariant);
  EXPECT_THROW(once.told(batch_enrolled(2, 1)), broken_invariant);
}

TEST(upload, does_not_skip_an_event_that_it_does_not_know) {
  pb::UploadState now;
  EXPECT_THROW(upload::evolve(now, pb::UploadEvent()), broken_invariant);
}

} // namespace
} // namespace rahat::testing
