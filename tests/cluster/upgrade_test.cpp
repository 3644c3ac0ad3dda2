// Two releases side by side: the cluster is upgraded node by node, nothing new is written before
// the upgrade is finished, and what a node cannot read it leaves to others.
#include "tests/cluster/town.hpp"
#include "tests/e2e/office.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int exit_cannot_start = 3;
constexpr std::size_t some_projects = 24; // with two nodes, each serves some
constexpr int all_rows_of_it = 24;

class upgrade : public testing::Test, protected town {
protected:
  static constexpr std::size_t nodes = 2;

  upgrade() : town(plan()) {}

  static cluster_plan plan() {
    cluster_plan out;
    out.nodes = nodes;
    return out;
  }

  void next_release(std::size_t i) { cluster.node(i).use_program(RAHATD_NEXT); }
  void this_release(std::size_t i) { cluster.node(i).use_program(""); }

  void start() { open(some_projects); }

  void restart(std::size_t i) {
    EXPECT_EQ(cluster.stop(i), 0);
    cluster.start(i);
    cluster.wait_settled();
  }

  http_reply finish(std::size_t through) const {
    const auto& node = cluster.node(through);
    return http_send(node.internal_port(), "POST", "/internal/v1/cluster/finish-upgrade",
                     {{"Authorization", "Bearer " + node.admin_token()}}, "{}");
  }

  std::int64_t new_rows() const {
    return books().number("SELECT count(*) FROM journal WHERE type = 'project.noticed'");
  }
  std::int64_t level() const {
    return books().number("SELECT feature_level FROM cluster_view WHERE id = 1");
  }

  void expect_all_well() { EXPECT_THAT(damage(), IsEmpty()); }

  /// Both nodes of the next release, which have written what this one cannot read.
  void write_what_is_new() {
    next_release(0);
    next_release(1);
    start();
    ASSERT_EQ(finish(1).status, 200u);
    await("the new event is written", [this] {
      fund_all();
      return new_rows() >= all_rows_of_it;
    });
  }
};

TEST_F(upgrade, the_new_event_is_not_written_before_the_finish) {
  next_release(1);
  start();
  fund_all();
  next_release(0);
  restart(0);
  fund_all();
  EXPECT_EQ(new_rows(), 0) << "either node may still go back";

  ASSERT_EQ(finish(0).status, 200u);
  EXPECT_EQ(level(), 2);
  await("every node writes it", [this] {
    const auto before = new_rows();
    fund_all();
    return new_rows() == before + static_cast<std::int64_t>(some_projects);
  });
  for (const auto& id : projects) // by whichever node: both know it
    EXPECT_THAT(maker->get("/v2/projects/" + id).body, HasSubstr("\"noticed\""));
  expect_all_well();
}

TEST_F(upgrade, a_shard_goes_both_ways_meanwhile) {
  next_release(1);
  start();
  for (std::size_t goes : {1, 0, 1}) { // all to the one that stays, then half of it back
    fund_all();
    ASSERT_EQ(cluster.stop(goes), 0);
    fund_all();
    EXPECT_EQ(books().number("SELECT count(DISTINCT owner) FROM shard"), 1);
    cluster.start(goes);
    cluster.wait_settled();
  }
  fund_all();
  EXPECT_EQ(new_rows(), 0);
  expect_all_well();
}

TEST_F(upgrade, finish_names_who_is_behind) {
  next_release(1);
  start();
  for (std::size_t through : {0, 1}) {
    const auto refused = finish(through);
    EXPECT_EQ(refused.status, 409u) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("node-0"));
    EXPECT_THAT(refused.body, testing::Not(HasSubstr("node-1")));
  }
  EXPECT_EQ(
      books().text("SELECT cluster_raise_level_v1(2, version) FROM cluster_view").find("behind"),
      0u)
      << "the database says so as well";
  EXPECT_EQ(level(), 1);
}

TEST_F(upgrade, an_old_build_is_refused_afterwards) {
  write_what_is_new();
  ASSERT_EQ(cluster.stop(0), 0);
  this_release(0);
  try {
    cluster.node(0).start();
    ADD_FAILURE() << "it has joined";
  } catch (const std::exception& refused) {
    EXPECT_THAT(refused.what(), HasSubstr("level 2"));
  }
  const auto end = run_rahatd(cluster.node(0).start_flags());
  EXPECT_EQ(end.exit_code, exit_cannot_start) << end.output;
  EXPECT_THAT(end.output, HasSubstr("level 2"));
  fund_all();
  next_release(0);
  cluster.start(0);
  cluster.wait_settled();
  expect_all_well();
}

TEST_F(upgrade, a_row_above_its_level_makes_a_node_leave_and_loses_nothing) {
  write_what_is_new();
  ASSERT_EQ(cluster.stop(0), 0);
  ASSERT_EQ(cluster.stop(1), 0);
  // What nothing in the product does: the old build may join although rows are above its level.
  books().run("UPDATE cluster_view SET feature_level = 1, version = version + 1");
  cluster.start(1);
  cluster.wait_settled();
  this_release(0);
  cluster.node(0).start();
  // As its shards come to it, so do requests for what it cannot read; whatever it is asked is
  // answered by the other one in the end.
  const auto left = eventually([this] {
    fund_all();
    return !cluster.node(0).running();
  });
  ASSERT_TRUE(left) << cluster.standing();
  EXPECT_EQ(cluster.node(0).wait_end(), exit_cannot_start);
  EXPECT_GE(cluster.node(0).count_in_log("level_too_high"), 1u);
  EXPECT_EQ(books().text("SELECT status FROM cluster_member WHERE node_uuid = '" +
                         cluster.uuid_of(0) + "' ORDER BY incarnation DESC LIMIT 1"),
            "left")
      << "in order, not declared dead";
  EXPECT_EQ(books().number("SELECT count(*) FROM parked"), 0);
  cluster.wait_settled();
  next_release(0);
  cluster.start(0);
  cluster.wait_settled();
  expect_all_well();
}

} // namespace
} // namespace rahat::test
