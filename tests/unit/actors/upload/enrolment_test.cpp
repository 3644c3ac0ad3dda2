#include "actors/batch/batch.hpp"
#include "actors/project/project.hpp"
#include "actors/upload/upload.hpp"
#include "tests/unit/actors/support/playground.hpp"
#include "tests/unit/actors/upload/fixture.hpp"

#include <gtest/gtest.h>
#include <algorithm>

/// A register on its way through project, upload and batches, in every order of messages.
namespace rahat::testing {
namespace {

const principal maker{"maker", "maker"};

class enrolment : public ::testing::TestWithParam<std::uint64_t> {
protected:
  enrolment() : all_(GetParam()) {
    all_.add_kind<project>();
    all_.add_kind<upload>();
    all_.add_kind<batch>();
    pb::ProjectCommand create;
    create.mutable_create()->set_name("Floods");
    create.mutable_create()->set_currency("NPR");
    all_.ask(a_project, create, maker);
  }

  /// Rows 0, 1, 2, ... of which each `repeat_every`th repeats household 0.
  void upload_rows(pb::UploadMode mode, std::uint32_t rows, std::uint32_t repeat_every) {
    all_.ask(upload_self, open(mode), maker);
    all_.run();
    std::uint32_t number = 0;
    for (std::uint32_t first = 0; first < rows; first += 1'000, ++number) {
      pb::UploadCommand c;
      c.mutable_stage()->set_chunk(number);
      for (auto i = first; i < std::min(rows, first + 1'000); ++i)
        add_row(c, i + 1, repeat_every != 0 && i % repeat_every == 0 ? "0" : std::to_string(i), i);
      ASSERT_TRUE(all_.ask(upload_self, c, maker).ok());
    }
    ASSERT_TRUE(all_.ask(upload_self, close_after(number), maker).ok());
  }

  /// Another upload has so many places, and its batches are still on their way.
  void fill_project(std::uint32_t batches) {
    const entity_ref other{"upload", derive_id({"other"})};
    pb::ProjectMessage m;
    m.mutable_ask_places()->set_upload(other.id.raw());
    m.mutable_ask_places()->set_batches(batches);
    all_.hold(a_project, other);
    all_.tell({"test", derive_id({"test"})}, a_project, m); // in its name
    all_.run();
  }

  pb::UploadState state() const { return all_.state_of<upload>(upload_self.id); }
  pb::BatchState batch_state(std::uint32_t index) const {
    return all_.state_of<batch>(upload::batch_id(upload_self.id, index));
  }

  playground all_;
};

TEST_P(enrolment, every_good_household_becomes_a_member_once) {
  upload_rows(pb::UPLOAD_SKIP_BAD, 21'500, 1'000);
  all_.run();
  EXPECT_EQ(state().status(), pb::UPLOAD_ACCEPTED);
  EXPECT_EQ(state().members(), 21'500u - 21u);
  std::set<std::string> persons;
  for (std::uint32_t index = 0; index < 3; ++index) {
    auto now = batch_state(index);
    EXPECT_EQ(now.status(), pb::BATCH_OPEN);
    for (int i = 0; i < now.balances_size(); ++i) {
      EXPECT_TRUE(
          persons.insert(now.persons().substr(16 * static_cast<std::size_t>(i), 16)).second);
      EXPECT_EQ(now.amounts(i), now.ordinals(i));
      EXPECT_TRUE(all_.is_open(
          wallet_of(upload::batch_id(upload_self.id, index), static_cast<std::uint32_t>(i))));
    }
  }
  EXPECT_EQ(persons.size(), state().members());
  auto project_state = all_.state_of<project>(a_project.id);
  EXPECT_EQ(project_state.members(), state().members());
  EXPECT_EQ(project_state.batches_size(), 3);
  EXPECT_EQ(all_.errors_of(upload_self.id).size(), 21u);
  all_.check_replay();
}

TEST_P(enrolment, no_batch_opens_before_all_have_their_members) {
  upload_rows(pb::UPLOAD_ALL, 10'001, 0);
  while (all_.step()) {
    bool accepted =
        state().status() == pb::UPLOAD_ACCEPTING || state().status() == pb::UPLOAD_ACCEPTED;
    for (std::uint32_t index = 0; index < 2; ++index)
      if (!accepted) {
        EXPECT_NE(batch_state(index).status(), pb::BATCH_OPEN);
      }
  }
  EXPECT_EQ(batch_state(0).status(), pb::BATCH_OPEN);
  EXPECT_EQ(batch_state(1).status(), pb::BATCH_OPEN);
}

/// A client that sees `accepted` may lock "all batches" at once.
TEST_P(enrolment, accepted_means_that_every_batch_is_open_and_known_to_the_project) {
  upload_rows(pb::UPLOAD_ALL, 30'001, 0);
  bool was_accepting = false;
  while (all_.step()) {
    was_accepting = was_accepting || state().status() == pb::UPLOAD_ACCEPTING;
    if (state().status() != pb::UPLOAD_ACCEPTED)
      continue;
    ASSERT_EQ(all_.state_of<project>(a_project.id).batches_size(), 4);
    for (std::uint32_t index = 0; index < 4; ++index)
      ASSERT_EQ(batch_state(index).status(), pb::BATCH_OPEN);
  }
  EXPECT_TRUE(was_accepting);
  EXPECT_EQ(state().status(), pb::UPLOAD_ACCEPTED);
  EXPECT_EQ(state().batches_open(), 4u);
  all_.check_replay();
}

TEST_P(enrolment, one_repeated_row_refuses_the_whole_register) {
  upload_rows(pb::UPLOAD_ALL, 10'001, 10'000);
  all_.run();
  EXPECT_EQ(state().status(), pb::UPLOAD_REJECTED);
  EXPECT_EQ(all_.errors_of(upload_self.id).at(0).row, 10'001u);
  EXPECT_EQ(batch_state(0).status(), pb::BATCH_NONE);
  EXPECT_EQ(all_.state_of<project>(a_project.id).batches_size(), 0);
}

/// Of several uploads that begin when the project has room for one of them, the others end without
/// a trace: no batch of theirs was ever made, and no place is lost.
TEST_P(enrolment, uploads_that_race_for_the_last_places_are_accepted_or_leave_nothing) {
  fill_project(project::max_batches - 3);
  const std::vector<entity_ref> racers{
      upload_self, {"upload", derive_id({"second"})}, {"upload", derive_id({"third"})}};
  for (auto& racer : racers)
    all_.ask(racer, open(pb::UPLOAD_ALL), maker);
  all_.run();
  for (auto& racer : racers) {
    for (std::uint32_t number = 0; number < 11; ++number)
      ASSERT_TRUE(all_.ask(racer, chunk(number, 1'000, number * 1'000), maker).ok());
    ASSERT_TRUE(all_.ask(racer, close_after(11), maker).ok());
  }
  all_.run();
  int accepted = 0;
  for (auto& racer : racers) {
    auto now = all_.state_of<upload>(racer.id);
    accepted += now.status() == pb::UPLOAD_ACCEPTED;
    for (std::uint32_t index = 0; index < 2; ++index) {
      auto batch = all_.state_of<rahat::batch>(upload::batch_id(racer.id, index));
      EXPECT_EQ(batch.status(),
                now.status() == pb::UPLOAD_ACCEPTED ? pb::BATCH_OPEN : pb::BATCH_NONE);
    }
    if (now.status() != pb::UPLOAD_ACCEPTED) {
      EXPECT_EQ(now.status(), pb::UPLOAD_REJECTED);
      EXPECT_NE(now.reason().find("room for 1 more batches"), std::string::npos) << now.reason();
    }
  }
  EXPECT_EQ(accepted, 1);
  auto full = all_.state_of<project>(a_project.id);
  EXPECT_EQ(full.batches_size(), 2);
  EXPECT_EQ(full.places_size(), 1) << "those of the other upload";
  all_.check_replay();
}

TEST_P(enrolment, an_upload_to_no_project_is_refused) {
  all_.ask(upload_self, open(pb::UPLOAD_ALL, {"project", derive_id({"nothing"})}), maker);
  all_.run();
  EXPECT_EQ(all_.reply_to(upload_self, all_.last_request()).error_name(), "not_found");
  EXPECT_EQ(state().status(), pb::UPLOAD_REJECTED);
}

TEST_P(enrolment, a_quiet_client_is_given_up) {
  all_.ask(upload_self, open(), maker);
  all_.run();
  all_.ask(upload_self, chunk(0, 10), maker);
  all_.advance(upload::abandon_after_us - 1);
  EXPECT_EQ(state().status(), pb::UPLOAD_RECEIVING);
  all_.advance(1);
  EXPECT_EQ(state().status(), pb::UPLOAD_ABANDONED);
  EXPECT_EQ(all_.ask(upload_self, chunk(1, 10), maker).error_name(), "wrong_status");
}

INSTANTIATE_TEST_SUITE_P(seeds, enrolment, ::testing::Range<std::uint64_t>(1, 6));

} // namespace
} // namespace rahat::testing
