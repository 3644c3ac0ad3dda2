// Another life of the database: a promoted standby, a restored backup. Whatever a node knew of the
// former one is no right to write.
#include "tests/cluster/second_server.hpp"
#include "tests/cluster/town.hpp"
#include "tests/e2e/office.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fstream>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr std::size_t nodes = 3; // as many as a plan has by itself
constexpr std::size_t some_projects = 24;
constexpr std::size_t some_requests = 100;

class generation : public testing::Test, protected town {
protected:
  void start() {
    manners brisk;
    brisk.answer_limit = 500ms; // a frozen node never answers
    open(some_projects, brisk);
  }

  std::string generations() const {
    return books().text("SELECT string_agg(DISTINCT encode(generation, 'hex'), ' ') FROM shard");
  }

  /// Where every chain ends and under which epoch, to be compared with what comes later. Kept in
  /// the database itself, outside the tables of the node.
  void remember_heads() { books().run("CREATE TABLE IF NOT EXISTS remembered AS TABLE shard"); }

  void expect_ends() {
    await("every node has ended by itself", [this] {
      cluster.tend(); // throws when one ends with another code than 4
      return cluster.losses().self_stops >= nodes;
    });
  }

  /// Each node ends by itself and is started again; together they own every shard, in one
  /// generation that is not the former.
  void expect_taken_anew(const std::string& former) {
    expect_ends();
    cluster.wait_settled();
    EXPECT_EQ(cluster.losses().self_stops, nodes) << "once each";
    EXPECT_NE(generations(), former);
    EXPECT_EQ(generations().find(' '), std::string::npos) << generations();
  }

  /// No row has landed above the remembered heads under an epoch that was given out before.
  void expect_no_write_of_the_past() {
    EXPECT_EQ(books().number("SELECT count(*) FROM shard s JOIN remembered r USING (shard)"
                             " WHERE s.epoch <= r.epoch"),
              0);
    EXPECT_EQ(books().number("SELECT count(*) FROM journal j JOIN remembered r USING (shard)"
                             " WHERE j.position > r.head_position AND j.epoch <= r.epoch"),
              0);
    EXPECT_GT(books().number("SELECT count(*) FROM journal j JOIN remembered r USING (shard)"
                             " WHERE j.position > r.head_position"),
              0)
        << "something was written since";
  }

  /// Of what the database has.
  void expect_books_and_chain() {
    eventually([this] { return books().wrong_books().empty(); });
    EXPECT_THAT(books().wrong_books(), IsEmpty());
    EXPECT_THAT(books().broken_links(), IsEmpty());
    EXPECT_EQ(number(internal(0, "/internal/v1/books?recount=true"), "imbalance_minor"), 0);
  }

  json::value internal(std::size_t i, const std::string& path) const {
    const auto& node = cluster.node(i);
    return parse(http_send(node.internal_port(), "GET", path,
                           {{"Authorization", "Bearer " + node.admin_token()}}));
  }

  /// For clients of the database that look for the one that can be written.
  void name_both(const second_server& other) {
    for (const auto& [file, to] :
         {std::pair{"url", service_conninfo()}, std::pair{"admin_url", cluster.owner_conninfo()}})
      std::ofstream{cluster.scratch().path() / file} << other.either(to) << '\n';
    for (std::size_t i = 0; i < nodes; ++i) {
      ASSERT_EQ(cluster.stop(i), 0);
      cluster.start(i);
    }
    cluster.wait_settled();
  }

  std::string service_conninfo() const {
    std::ifstream in{cluster.scratch().path() / "url"};
    std::string out;
    std::getline(in, out);
    return out;
  }
};

TEST_F(generation, a_promotion_drops_every_host_before_the_first_write) {
  start();
  second_server standby{cluster, second_server::role::standby};
  fund_all();
  standby.wait_caught_up();
  const auto former = generations();

  cluster.node(nodes - 1).freeze(); // sleeps through all of it and wakes as the owner it was
  standby.wait_caught_up();
  standby.kill_primary();
  standby.promote();
  standby.take_address();
  remember_heads();
  await("the others have come back", [this] {
    cluster.tend();
    return cluster.losses().self_stops == nodes - 1 && cluster.ready(0) && cluster.ready(1);
  });
  fund_all();
  cluster.node(nodes - 1).thaw();
  expect_taken_anew(former);
  fund_all();
  expect_no_write_of_the_past();
  EXPECT_THAT(damage(), IsEmpty());
}

TEST_F(generation, a_restored_backup_is_never_written_with_old_epochs) {
  start();
  fund_all();
  second_server backup{cluster, second_server::role::backup};
  const auto former = generations();
  const auto kept = books().journal_rows();
  // After the backup: commits that will be gone, and shards with epochs that it does not know.
  fund_all();
  ASSERT_EQ(cluster.stop(0), 0);
  fund_all();
  cluster.start(0);
  cluster.wait_settled();
  fund_all();

  backup.kill_primary();
  backup.restore();
  backup.take_address();
  remember_heads();
  const auto rows = books().journal_rows();
  EXPECT_GE(rows, kept);
  EXPECT_LT(rows, kept + static_cast<std::int64_t>(some_projects)) << "what came later is gone";
  expect_taken_anew(former);
  fund_all();
  expect_no_write_of_the_past();
  EXPECT_EQ(books().number("SELECT count(*) FROM shard s JOIN remembered r USING (shard, owner)"
                           " WHERE s.incarnation <= r.incarnation"),
            0)
      << "no incarnation is used twice";
  expect_books_and_chain();
  // What was lost is told by the heads that node 0 signed when it stopped.
  const auto audit = internal(0, "/internal/v1/audit/verify");
  EXPECT_EQ(audit.at("ok"), json::value(false));
  EXPECT_NE(text(audit.at("first_bad"), "what").find("signed"), std::string::npos)
      << json::serialize(audit);
}

TEST_F(generation, a_synchronous_standby_loses_nothing) {
  start();
  second_server standby{cluster, second_server::role::standby};
  name_both(standby);
  standby.make_synchronous();
  const auto former = generations();
  load_plan plan;
  mixed_load load{cluster, *who, book, plan};
  load.start();
  const auto go_on = [&] {
    const auto before = load.accepted();
    await("the load goes on", [&] {
      cluster.tend();
      return load.accepted() >= before + some_requests;
    });
  };
  go_on();
  standby.kill_primary(); // in the middle of it
  standby.promote();
  expect_ends();          // they find the new primary by themselves
  standby.take_address(); // for this test's own look at the tables
  expect_taken_anew(former);
  go_on();
  const auto seen = load.stop();
  EXPECT_THAT(seen.faults, IsEmpty());
  EXPECT_THAT(damage(), IsEmpty());
}

} // namespace
} // namespace rahat::test
