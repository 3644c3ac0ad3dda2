#include "actors/batch/batch.hpp"
#include "tests/unit/actors/batch/fixture.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {
namespace {

pb::MemberList listed(const batch_world& now, std::uint32_t from, std::uint32_t limit) {
  auto out = now.when(list_members(from, limit));
  EXPECT_EQ(out.error_name(), "");
  EXPECT_TRUE(out.made.empty()) << "a question commits nothing";
  auto answer = out.made.own_answer().value_or("");
  return detail::parsed<pb::BatchAnswer>(answer, "unreadable").members();
}

TEST(members, are_listed_with_what_their_wallets_hold) {
  auto now = then(ready(3).when(redeem(400)));
  auto list = listed(now, 0, 200);
  EXPECT_EQ(list.total(), 3u);
  EXPECT_EQ(list.upload(), its_upload.id.raw());
  ASSERT_EQ(list.members_size(), 3);
  for (int i = 0; i < 3; ++i) {
    auto& one = list.members(i);
    EXPECT_EQ(one.index(), static_cast<std::uint32_t>(i));
    EXPECT_EQ(one.wallet(), member(one.index()).raw());
    EXPECT_EQ(one.person(), derive_id({"person", std::to_string(i)}).raw());
    EXPECT_EQ(one.ordinal(), one.index());
    EXPECT_EQ(one.amount_minor(), 100 * (i + 1));
    EXPECT_EQ(one.balance_minor(), i == 0 ? 600 : 0);
  }
}

TEST(members, are_read_page_by_page_to_the_end) {
  auto now = accepted(5);
  EXPECT_EQ(listed(now, 0, 2).members_size(), 2);
  auto last = listed(now, 4, 2);
  ASSERT_EQ(last.members_size(), 1);
  EXPECT_EQ(last.members(0).wallet(), member(4).raw());
  EXPECT_EQ(listed(now, 5, 2).members_size(), 0);
  EXPECT_EQ(listed(now, UINT32_MAX, 200).members_size(), 0);
}

/// The person of an excluded row is no member: whoever follows moves up.
TEST(members, keep_the_row_they_came_from) {
  auto now = then(batch_world().as(batch_self).told(enroll(0, 3, {1})));
  now = then(then(now.feed(staged(0, 3)).proceed()).told(accept()));
  auto list = listed(now, 0, 200);
  ASSERT_EQ(list.members_size(), 3);
  EXPECT_EQ(list.members(1).ordinal(), 2u);
  EXPECT_EQ(list.members(1).wallet(), member(1).raw());
}

TEST(members, of_a_register_that_is_not_accepted_are_shown_to_nobody) {
  EXPECT_EQ(enrolled(3).when(list_members()).error_name(), "wrong_status");
  EXPECT_FALSE(batch::exists(enrolled(3).state()));
  EXPECT_TRUE(batch::exists(accepted(3).state()));
  EXPECT_TRUE(batch::exists(then(ready().when(freeze())).state()));
}

/// Whom the project has no room for. Nobody is owed anything yet, so nobody is shown any more.
TEST(members, of_a_batch_that_is_dropped_are_gone) {
  auto dropped = then(accepted(3).told(drop()));
  EXPECT_FALSE(batch::exists(dropped.state()));
  EXPECT_EQ(dropped.when(list_members()).error_name(), "not_found");
  auto with_money = accepted(3).credited(credit_to(member(1), 5));
  EXPECT_EQ(then(with_money).told(drop()).events(), "");
  auto with_list = accepted(3).told(lock());
  EXPECT_EQ(then(with_list).told(drop()).events(), "");
}

/// The project cannot tell the upload of a batch whose place it does not know.
TEST(members, who_are_accepted_tell_the_project_whose_they_are) {
  auto now = then(batch_world().as(batch_self).told(enroll(20'000, 20'002)));
  auto out = then(now.feed(staged(20'000, 20'002)).proceed()).told(accept());
  auto news =
      detail::parsed<pb::ProjectMessage>(out.made.told().at(1).bytes, "unreadable").batch_opened();
  EXPECT_EQ(news.upload(), its_upload.id.raw());
  EXPECT_EQ(news.index(), 2u);
  EXPECT_EQ(news.members(), 3u);
}

} // namespace
} // namespace rahat::testing
