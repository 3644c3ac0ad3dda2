#include "tests/cluster/chaos.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rahat::test {
namespace {

using testing::IsEmpty;

/// One of each, in an order in which each finds the cluster well. Long runs: ./dev chaos.
TEST(cluster_chaos, one_of_each_fault_loses_and_doubles_nothing) {
  chaos_plan plan;
  plan.lines = 20'000;
  plan.schedule = {fault::kill_node, fault::freeze_in_commit, fault::restart_postgres,
                   fault::stop_postgres};
  const auto report = run_chaos(plan);
  EXPECT_THAT(report.wrong, IsEmpty()) << to_text(report);
  EXPECT_GE(report.losses.self_stops, 1U) << to_text(report);
  EXPECT_GE(report.disbursements, 1U);
  EXPECT_GE(report.posts, 100U);
}

/// A node that believes in its lease for ever wakes up as the owner that it was. The commit that it
/// was at, or the next one that it is asked for, meets the fence, and nothing else stops it.
TEST(cluster_chaos, the_fence_holds_without_the_self_deadline) {
  chaos_plan plan;
  plan.lines = 0;
  plan.program = RAHATD_WITHOUT_DEADLINE;
  plan.reads_must_be_fresh = false;
  plan.schedule = {fault::freeze_node, fault::freeze_in_commit};
  const auto report = run_chaos(plan);
  EXPECT_THAT(report.wrong, IsEmpty()) << to_text(report);
  EXPECT_EQ(report.losses.self_stops, plan.schedule.size()) << to_text(report);
  EXPECT_GE(report.losses.fences_logged, 1U) << to_text(report);
  std::cout << to_text(report);
}

} // namespace
} // namespace rahat::test
