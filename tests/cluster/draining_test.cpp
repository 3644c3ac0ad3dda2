// A node that is asked to give its shards away, and what happens meanwhile: who is to take them
// dies, is asked the same, or the node itself is stopped. Clients who send a request again once
// with the same key notice nothing.
#include "tests/cluster/checker.hpp"
#include "tests/cluster/town.hpp"
#include "tests/e2e/office.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <csignal>
#include <future>
#include <pqxx/pqxx>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t nodes = 2;
constexpr std::size_t some_requests = 30;
constexpr std::size_t two_tries = 2;
constexpr std::int64_t half_way = 80; // of the 128 that a node has of two: some have gone, many not
constexpr auto after_a_death = 10s;   // until who drains has all shards back
constexpr auto after_a_stop = 5s;     // until the other one has them
constexpr auto of_the_last_one = 5s;  // its end: nobody is waited for
constexpr auto after_silence = 10s;   // until the other one serves, and until it has ended
constexpr unsigned conflict = 409;
constexpr int exit_must_stop = 4;

/// None of this node's readings of the membership is answered, while its lease could be renewed as
/// before: a session whose backend hangs, and so does every one that it opens instead. Until it
/// goes.
class held_readings {
public:
  explicit held_readings(const std::string& uuid, pqxx::connection& owner) : owner_(owner) {
    run("CREATE FUNCTION test_hold() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('application_name') LIKE 'rahat/" +
        uuid +
        "/%/membership' THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$;"
        "CREATE POLICY test_hold ON cluster_member USING (test_hold()) WITH CHECK (true);"
        "ALTER TABLE cluster_member ENABLE ROW LEVEL SECURITY");
  }
  ~held_readings() {
    run("ALTER TABLE cluster_member DISABLE ROW LEVEL SECURITY;"
        "DROP POLICY test_hold ON cluster_member; DROP FUNCTION test_hold()");
  }
  held_readings(const held_readings&) = delete;
  held_readings& operator=(const held_readings&) = delete;

private:
  void run(const std::string& sql) const { pqxx::nontransaction{owner_}.exec(sql); }

  pqxx::connection& owner_;
};

/// Two nodes for all tests, which are made whole before each: to start them takes seconds.
class draining : public testing::Test {
protected:
  static void SetUpTestSuite() {
    cluster_plan plan;
    plan.nodes = nodes;
    plan.flags = {"--lease.ttl_ms", "1500", "--lease.renew_ms", "400"}; // deaths cost time
    town_ = std::make_unique<town>(plan);
    town_->who = populate(cluster());
    tables_ = std::make_unique<pqxx::connection>(cluster().owner_conninfo());
  }

  static void TearDownTestSuite() {
    tables_.reset();
    town_.reset();
  }

  void SetUp() override {
    make_whole();
    load_plan plan;
    plan.workers = 3;
    plan.projects_each = 6;
    plan.pause_ms = 10;
    plan.how.answer_limit = 8s; // longer than the router keeps a request for a shard on its way
    load_ = std::make_unique<mixed_load>(cluster(), *town_->who, book_, plan);
    load_->start();
    go_on();
  }

  static cluster_process& cluster() { return town_->cluster; }

  /// Both nodes run, nobody is asked to drain, each has its share.
  static void make_whole() {
    for (std::size_t i = 0; i < nodes; ++i)
      if (!cluster().node(i).running())
        cluster().start(i);
    for (std::size_t i = 0; i < nodes; ++i)
      ask(i, "undrain", i);
    cluster().wait_settled();
  }

  /// Through the internal API of `at`; "drain" or "undrain".
  static http_reply ask(std::size_t node, const std::string& what, std::size_t at) {
    const auto& there = cluster().node(at);
    return http_send(there.internal_port(), "POST",
                     "/internal/v1/cluster/members/" + cluster().uuid_of(node) + "/" + what,
                     {{"Authorization", "Bearer " + there.admin_token()}}, "{}");
  }

  /// On a connection that stays: a drain is over in some hundred milliseconds.
  static pqxx::result rows(const std::string& sql) {
    pqxx::nontransaction work{*tables_};
    return work.exec(sql);
  }

  /// Of what runs as this node now, not of a former start.
  static std::int64_t shards_of(std::size_t i) {
    return rows(
               "SELECT count(*) FROM shard s JOIN cluster_member m ON m.node_uuid = s.owner"
               " AND m.incarnation = s.incarnation WHERE m.node_uuid = '" +
               cluster().uuid_of(i) + "'")[0][0]
        .as<std::int64_t>();
  }
  static bool has_all(std::size_t i) { return shards_of(i) == shard_count; }

  static std::string status_of(std::size_t i) {
    return rows("SELECT status FROM cluster_member WHERE node_uuid = '" + cluster().uuid_of(i) +
                "'")[0][0]
        .c_str();
  }

  static bool answers(std::size_t i) {
    return http_send(cluster().port_of(i), "GET", "/v2/projects", {}).fault.empty();
  }

  static void drain_half_way(std::size_t i) {
    const auto said = ask(i, "drain", (i + 1) % nodes);
    ASSERT_EQ(said.status, 200U) << said.body;
    await(
        "it has given some away", [&] { return shards_of(i) <= half_way; }, patience, 1);
  }

  /// Until some more requests were accepted.
  void go_on() {
    const auto before = load_->accepted();
    await("the load goes on", [&] { return load_->accepted() >= before + some_requests; });
  }

  static std::string told(const request& r) {
    std::ostringstream out;
    out << r.key << " needed " << r.attempts.size() << " tries:";
    for (const auto& a : r.attempts)
      out << "\n  at " << a.at_ms << " ms node " << a.node << ' ' << a.status << ' ' << a.fault
          << " after " << a.took_ms << " ms";
    return out.str();
  }

  /// Ends the load.
  void expect_no_failed_request() {
    const auto seen = load_->stop();
    EXPECT_THAT(seen.faults, IsEmpty());
    EXPECT_EQ(seen.reads_failed, 0U) << "of " << seen.reads << ", each tried twice";
    for (const auto& r : book_.all())
      if (r.attempts.size() > two_tries)
        ADD_FAILURE() << told(r);
    std::cout << seen.posts << " requests, " << seen.retried << " sent twice, slowest "
              << seen.slowest_ms << " ms; " << seen.reads << " reads" << std::endl;
  }

  /// Ends the test: what was accepted is there, once.
  void expect_books_right() {
    make_whole();
    EXPECT_THAT((checker{cluster(), *town_->who, book_}.everything(nullptr)), IsEmpty());
  }

  static inline std::unique_ptr<town> town_;
  static inline std::unique_ptr<pqxx::connection> tables_;

  history book_;
  std::unique_ptr<mixed_load> load_;
};

TEST_F(draining, comes_back_when_the_taker_dies_and_goes_on_when_it_is_back) {
  drain_half_way(0);
  cluster().kill(1);
  EXPECT_GT(shards_of(0), 0) << "it was to be half-way";
  EXPECT_TRUE(eventually([] { return has_all(0); }, after_a_death)) << cluster().standing();
  EXPECT_EQ(status_of(0), "up") << "nobody else would serve";
  go_on();
  cluster().start(1);
  await("it has given all away", [] { return has_all(1); });
  EXPECT_EQ(status_of(0), "leaving") << "the wish of its operator holds";
  go_on();
  expect_no_failed_request();
  expect_books_right();
}

/// Each is let through while the other one is still active.
TEST_F(draining, of_two_that_are_asked_at_once_one_stays_and_serves_all) {
  std::vector<std::future<http_reply>> asked;
  for (std::size_t i = 0; i < nodes; ++i)
    asked.push_back(std::async(std::launch::async, [i] { return ask(i, "drain", i); }));
  for (auto& one : asked)
    EXPECT_THAT(one.get().status, AnyOf(200U, conflict));
  rows("UPDATE cluster_member SET drain = true"); // as if both had been
  const auto one_has_all = [] { return has_all(0) || has_all(1); };
  await("one has all", one_has_all);
  const std::size_t stays = has_all(0) ? 0 : 1, drained = 1 - stays;
  EXPECT_EQ(status_of(stays), "up");
  EXPECT_EQ(status_of(drained), "leaving");
  const auto refused = ask(stays, "drain", drained);
  EXPECT_EQ(refused.status, conflict);
  EXPECT_THAT(refused.body, HasSubstr("last active member"));
  go_on();

  ASSERT_EQ(ask(drained, "undrain", stays).status, 200U);
  await("the other one can go now", [&] { return has_all(drained); });
  EXPECT_EQ(status_of(drained), "up");
  EXPECT_EQ(status_of(stays), "leaving");
  go_on();
  expect_no_failed_request();
  expect_books_right();
}

TEST_F(draining, is_finished_by_a_stop_and_the_last_one_waits_for_nobody) {
  using clock = std::chrono::steady_clock;
  drain_half_way(1);
  cluster().node(1).send_signal(SIGTERM);
  EXPECT_GT(shards_of(1), 0) << "it was to be half-way";
  await(
      "its doors are closed", [] { return !answers(1); }, patience, 1);
  EXPECT_EQ(shards_of(1), 0) << "it has to answer for as long as it owns any";
  EXPECT_TRUE(eventually([] { return has_all(0); }, after_a_stop)) << cluster().standing();
  EXPECT_EQ(cluster().stop(1), 0) << cluster().node(1).log_tail();
  EXPECT_EQ(status_of(1), "left");
  go_on();
  expect_no_failed_request();

  const auto told = clock::now();
  EXPECT_EQ(cluster().stop(0), 0) << cluster().node(0).log_tail();
  EXPECT_LE(clock::now() - told, of_the_last_one);
  expect_books_right();
}

TEST_F(draining, a_node_whose_readings_hang_lets_its_lease_go_and_the_other_serves) {
  {
    const held_readings held{cluster().uuid_of(1), *tables_};
    EXPECT_TRUE(eventually([] { return has_all(0); }, after_silence)) << cluster().standing();
    EXPECT_EQ(status_of(1), "dead");
  }
  ASSERT_TRUE(eventually([] { return !cluster().node(1).running(); }, after_silence));
  EXPECT_EQ(cluster().node(1).wait_end(), exit_must_stop) << cluster().node(1).log_tail();
  const auto seen = load_->stop();
  EXPECT_THAT(seen.faults, IsEmpty()) << "all were accepted, some after several tries";
  expect_books_right();
}

} // namespace
} // namespace rahat::test
