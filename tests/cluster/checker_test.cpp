// The checker itself: it is silent about a cluster that is well, and names each kind of damage.
#include "tests/cluster/checker.hpp"
#include "tests/cluster/town.hpp"
#include "tests/e2e/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rahat::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t households = 200;

class chaos_checker : public testing::Test {
protected:
  void SetUp() override {
    who_ = populate(cluster_);
    paid_ = std::make_unique<payments>(cluster_, *who_, book_, households, 1);
    paid_->start();
    paid_->finish();
    paid_->stop();
  }

  checker look() { return {cluster_, *who_, book_}; }
  void damage(const std::string& sql) {
    ledger{cluster_.admin_conninfo()}.run("SET session_replication_role = replica; " + sql);
  }

  cluster_process cluster_{cluster_plan{.nodes = 1}};
  history book_;
  std::unique_ptr<people> who_;
  std::unique_ptr<payments> paid_;
};

TEST_F(chaos_checker, is_silent_about_a_cluster_that_is_well_and_names_each_damage) {
  ASSERT_THAT(paid_->lists(), SizeIs(1));
  EXPECT_THAT(look().everything(paid_.get()), IsEmpty());

  const auto funding = "/v2/projects/" + paid_->project() + "/fundings";
  history other;
  for (auto r : book_.all()) {
    if (r.path == funding) {
      r.answer += " ";
      r.amount_minor += 1;
    }
    other.add(r);
  }
  checker told_otherwise{cluster_, *who_, other};
  EXPECT_THAT(told_otherwise.one_outcome_a_key(), SizeIs(1));
  EXPECT_THAT(told_otherwise.fundings_once(), SizeIs(1));

  damage(
      "UPDATE journal SET payload = payload || 'x' WHERE position = 1 AND shard ="
      " (SELECT min(shard) FROM journal)");
  const auto chain = look().books_and_chain();
  EXPECT_THAT(chain, testing::Contains(HasSubstr("a hash that does not follow")));
  EXPECT_THAT(chain, testing::Contains(HasSubstr("audit verify")));

  const auto list = "WHERE purpose = '" + paid_->lists().front() + "'";
  damage("DELETE FROM transfer " + list + " AND line = 7");
  EXPECT_THAT(look().lines_once(*paid_), SizeIs(testing::Ge(2U)));
}

} // namespace
} // namespace rahat::test
