// One disbursement of 100,000 lines, and everything that can die dies again and again while it
// locks, reserves and pays. Points are counted by the disbursement's sequence number.
#include "tests/e2e/ledger.hpp"
#include "tests/e2e/office.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <csignal>
#include <future>
#include <iostream>
#include <memory>
#include <pqxx/pqxx>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr std::size_t households = 100'000;
constexpr auto story_limit = 300s; // of one status, with all the kills in it
constexpr int poll_ms = 1;

enum class victim {
  node,
  postmaster, // its children see it gone and end by themselves
  postgres,   // every process of the cluster at once
  backend,    // of the writer: the postmaster then restarts all others
};

const char* name_of(victim who) {
  switch (who) {
    case victim::node: return "the node";
    case victim::postmaster: return "the postmaster";
    case victim::postgres: return "all of Postgres";
    case victim::backend: return "the writer's backend";
  }
  return "";
}

/// When the disbursement has come to commit `seq`. Inside: while that commit, or the next one if
/// the story was quicker, has all its rows and has not committed.
struct kill_point {
  std::int64_t seq;
  victim who;
  bool inside;
  /// Inside, of the node: its backend is let go at once and commits after the node's death; else
  /// it hangs until the next start throws it out.
  bool posthumous = false;
};

// 1 asked, 2 created, 3 lock asked, 4 spread, 5 to 14 ten batches' answers, 15 to 18 locked,
// approved, reserve asked, reserved; then a hundred chunks decided and arrived.
constexpr kill_point points[] = {
    {3, victim::node, true, true},  {4, victim::postmaster, false}, {6, victim::backend, true},
    {9, victim::node, false},       {12, victim::postgres, true},   {14, victim::node, true},
    {15, victim::postmaster, true}, {16, victim::node, true, true}, {17, victim::backend, true},
    {18, victim::postgres, true},   {21, victim::node, false},      {36, victim::postmaster, false},
    {51, victim::node, true, true}, {66, victim::backend, false},   {81, victim::node, false},
    {101, victim::postgres, true},  {121, victim::node, true},      {141, victim::postmaster, true},
    {156, victim::node, false},     {171, victim::backend, true},   {181, victim::postgres, false},
    {191, victim::node, true},
};

/// Holds commits of one entity open: a trigger that fires at the very end of a commit waits for a
/// lock that the test has. Also slows each of its commits a little, so that a point can be met.
class gate {
public:
  explicit gate(const node_process& node) : node_(node) {
    pqxx::connection owner{node.owner_conninfo()};
    pqxx::nontransaction{owner}.exec(R"(
CREATE TABLE test_gate (entity uuid, seq bigint);
GRANT SELECT ON test_gate TO rahat_service;
CREATE FUNCTION test_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM test_gate g WHERE g.entity = NEW.entity AND NEW.seq >= g.seq) THEN
    PERFORM pg_advisory_xact_lock_shared(4711);
  END IF;
  PERFORM pg_sleep(0.004);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER test_hold AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.kind = 'disbursement') EXECUTE FUNCTION test_hold())");
  }

  void close(const std::string& entity, std::int64_t seq) {
    holder_ = std::make_unique<pqxx::connection>(node_.owner_conninfo());
    pqxx::nontransaction work{*holder_};
    work.exec("SELECT pg_advisory_lock(4711)");
    work.exec("INSERT INTO test_gate VALUES (" + work.quote(entity) + ", " + std::to_string(seq) +
              ")");
  }

  /// The backend that stands before it, 0 when none does.
  pid_t waiting() {
    pqxx::nontransaction work{*holder_};
    auto rows = work.exec("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
    return rows.empty() ? 0 : rows[0][0].as<pid_t>();
  }

  /// Lets later commits pass; who waits goes on waiting until `open`.
  void remove() {
    pqxx::connection owner{node_.owner_conninfo()};
    pqxx::nontransaction{owner}.exec("DELETE FROM test_gate");
  }

  void open() { holder_.reset(); }

private:
  const node_process& node_;
  std::unique_ptr<pqxx::connection> holder_;
};

/// A connection to look with, made anew when its server has died.
class lookout {
public:
  explicit lookout(const node_process& node) : node_(node) {}

  std::int64_t number(const std::string& sql) {
    try {
      if (!connection_)
        connection_ = std::make_unique<pqxx::connection>(node_.owner_conninfo());
      pqxx::nontransaction work{*connection_};
      auto row = work.exec1(sql);
      return row[0].is_null() ? 0 : row[0].as<std::int64_t>();
    } catch (const std::exception&) { // broken connections come as several types
      connection_.reset();
      return -1;
    }
  }

  /// A connection that died with its server says so once.
  void reconnect() { connection_.reset(); }

private:
  const node_process& node_;
  std::unique_ptr<pqxx::connection> connection_;
};

class kills : public testing::Test {
protected:
  void SetUp() override {
    node.start();
    staff = std::make_unique<office>(node);
    project = staff->active_project();
    staff->fund(project, register_sum(households));
    staff->import(project, register_csv(households));
    disbursement = staff->draft(project, 0);
    path = "/v2/disbursements/" + disbursement;
    pqxx::connection admin{node.admin_conninfo()};
    pqxx::nontransaction{admin}.exec("CHECKPOINT"); // so that each recovery has little to redo
    hold = std::make_unique<gate>(node);
    look = std::make_unique<lookout>(node);
  }

  /// What people do meanwhile: they send the same request again until it is answered.
  void tell_story() {
    staff->maker.insist(path + "/lock", json::object{}, story_limit);
    auto digest = text(staff->until(disbursement, "locked", story_limit), "digest");
    staff->checker.insist(path + "/approve", json::object{{"digest", digest}}, story_limit);
    staff->maker.insist(path + "/pay", json::object{}, story_limit);
    staff->until(disbursement, "completed", story_limit);
  }

  /// -1 while the server is away.
  std::int64_t seq() {
    return look->number("SELECT max(seq) FROM journal WHERE entity = '" + disbursement + "'");
  }

  pid_t writer_backend() {
    return static_cast<pid_t>(
        look->number("SELECT max(pid) FROM pg_stat_activity"
                     " WHERE application_name LIKE 'rahat/%/writer-0'"));
  }

  void strike(victim who, pid_t backend) {
    switch (who) {
      case victim::node: node.kill_hard(); break;
      case victim::postmaster: node.kill_postgres(false); break;
      case victim::postgres: node.kill_postgres(true); break;
      case victim::backend:
        ASSERT_GT(backend, 1);
        kill(backend, SIGKILL);
        break;
    }
  }

  static bool has_ended(std::future<void>& story) {
    return story.wait_for(0s) == std::future_status::ready;
  }

  void strike_at(const kill_point& point, std::future<void>& story) {
    pid_t backend = 0;
    if (point.inside) {
      retry("the gate is closed", [&] { hold->close(disbursement, point.seq); });
      await(
          "a commit stands in the gate",
          [&] {
            backend = hold->waiting();
            return backend > 0 || has_ended(story);
          },
          story_limit, poll_ms);
    } else {
      await(
          "the disbursement comes to " + std::to_string(point.seq),
          [&] { return seq() >= point.seq || has_ended(story); }, story_limit, poll_ms);
      backend = writer_backend();
    }
    ASSERT_FALSE(has_ended(story)) << "nothing is left to be struck at " << point.seq;
    const auto before = seq();
    const auto server = node.postmaster();
    strike(point.who, backend);
    std::cout << name_of(point.who) << " died " << (point.inside ? "inside the commit" : "")
              << " after commit " << before << " (point " << point.seq << ")" << std::endl;
    recover(point, server);
  }

  void recover(const kill_point& point, pid_t old_server) {
    const bool server_died = point.who == victim::postmaster || point.who == victim::postgres;
    if (server_died)
      await(
          "Postgres is back",
          [&] {
            auto now = node.postmaster();
            return now > 0 && now != old_server;
          },
          60s);
    if (point.inside) {
      retry("the gate is removed", [&] { hold->remove(); });
      if (point.posthumous || point.who != victim::node)
        hold->open();
    }
    if (point.who == victim::node)
      node.start();
    hold->open();
    look->reconnect();
  }

  /// The server may be going or coming: until it is there.
  template <class Job>
  void retry(const std::string& what, Job job) {
    std::string why;
    auto done = eventually(
        [&] {
          try {
            job();
            return true;
          } catch (const std::exception& failed) { // of several types
            why = failed.what();
            return false;
          }
        },
        60s);
    if (!done)
      throw std::runtime_error("waited in vain until " + what + ": " + why);
  }

  void expect_all_paid() {
    auto view = staff->maker.get(path);
    EXPECT_EQ(text(view, "status"), "completed");
    EXPECT_EQ(number(view, "lines_paid"), static_cast<std::int64_t>(households));
    EXPECT_EQ(number(view, "paid_minor"), register_sum(households));
    const auto list = text(view, "list_id");
    ledger books{node.owner_conninfo()};
    const auto of_list = " FROM transfer WHERE purpose = '" + list + "'";
    EXPECT_EQ(books.number("SELECT count(*)" + of_list), static_cast<std::int64_t>(households));
    EXPECT_EQ(books.number("SELECT count(DISTINCT credit)" + of_list),
              static_cast<std::int64_t>(households));
    EXPECT_EQ(books.number("SELECT sum(amount_minor)" + of_list), register_sum(households));
    EXPECT_THAT(books.wrong_lines(list), IsEmpty());
    EXPECT_EQ(books.number("SELECT sum(amount_minor) FROM owned_total WHERE kind = 'batch'"),
              register_sum(households));
    EXPECT_EQ(books.number("SELECT count(*) FROM parked"), 0);
  }

  void expect_every_wallet_full() {
    std::int64_t seen = 0;
    auto batches = staff->maker.get("/v2/batches?project=" + project + "&limit=200");
    EXPECT_EQ(items(batches).size(), 10U);
    for (auto& batch : items(batches)) {
      auto members = staff->maker.get("/v2/batches/" + text(batch, "id") + "/members?limit=200");
      for (auto& member : items(members)) {
        ++seen;
        EXPECT_EQ(number(member, "balance_minor"), number(member, "amount_minor"));
      }
    }
    EXPECT_EQ(seen, 2'000); // the first page of each
  }

  void expect_exact_books() {
    ledger books{node.owner_conninfo()};
    EXPECT_TRUE(eventually([&] { return books.wrong_books().empty(); }));
    EXPECT_THAT(books.wrong_books(), IsEmpty());
    EXPECT_THAT(books.broken_links(), IsEmpty());
    auto chain = parse(staff->internal("GET", "/internal/v1/audit/verify"));
    EXPECT_EQ(chain.at("ok"), json::value(true)) << chain;
    auto recount = parse(staff->internal("GET", "/internal/v1/books?recount=true"));
    EXPECT_EQ(number(recount, "imbalance_minor"), 0) << recount;
    EXPECT_GT(number(recount, "transfers"), static_cast<std::int64_t>(households));
  }

  node_process node;
  std::unique_ptr<office> staff;
  std::unique_ptr<gate> hold;
  std::unique_ptr<lookout> look;
  std::string project;
  std::string disbursement;
  std::string path;
};

TEST_F(kills, a_hundred_thousand_lines_are_paid_once_whatever_dies) {
  auto story = std::async(std::launch::async, [this] { tell_story(); });
  for (auto& point : points) {
    strike_at(point, story);
    if (HasFatalFailure())
      break;
  }
  ASSERT_NO_THROW(story.get()) << node.log_tail();
  expect_all_paid();
  expect_every_wallet_full();
  expect_exact_books();
  EXPECT_EQ(node.stop(), 0);
}

} // namespace
} // namespace rahat::test
