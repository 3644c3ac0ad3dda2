// One entity whose rows the database refuses, beside others that are well.
#include "tests/e2e/running_node.hpp"

#include <atomic>
#include <thread>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;

class parked : public running_node {
protected:
  static json::value funding(std::int64_t amount_minor) {
    return {{"amount_minor", amount_minor}, {"currency", "NPR"}, {"reference", "R"}};
  }

  static constexpr const char* refuse =
      "RAISE EXCEPTION 'this row is poisoned' USING ERRCODE = '22000'";
  /// The process that stores the row dies of it; a signal is seen while it sleeps.
  static constexpr const char* die =
      "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60)";

  static void poison(const std::string& entity, const std::string& effect = refuse) {
    books().run(R"(
CREATE OR REPLACE FUNCTION test_poison() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN )" + effect +
                R"(; END $$;
CREATE OR REPLACE TRIGGER test_poison BEFORE INSERT ON journal
  FOR EACH ROW WHEN (NEW.entity = ')" +
                entity + R"(') EXECUTE FUNCTION test_poison())");
  }

  static void cure() { books().run("DROP TRIGGER test_poison ON journal"); }

  static bool is_parked(const std::string& entity) {
    auto list = parse(staff().internal("GET", "/internal/v1/parked"));
    for (auto& row : list.at("parked").as_array())
      if (text(row, "entity") == entity)
        return true;
    return false;
  }
};

TEST_F(parked, a_client_whose_rows_are_refused_is_told_and_harms_nobody) {
  const auto sick = staff().active_project();
  const auto well = staff().active_project();
  poison(sick);
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::thread vandal{[&] { // beside the good ones, so that they share batches
    while (!stop) {
      auto reply = staff().maker.try_post("/v2/projects/" + sick + "/fundings", funding(7));
      EXPECT_GE(reply.status, 500U) << reply.body;
      ++refused;
    }
  }};
  int paid = 0;
  const auto end = std::chrono::steady_clock::now() + 3s;
  for (; paid < 50 || (refused < 10 && std::chrono::steady_clock::now() < end); ++paid) {
    auto good = staff().maker.try_post("/v2/projects/" + well + "/fundings", funding(1));
    EXPECT_TRUE(good.ok()) << good.body;
  }
  stop = true;
  vandal.join();
  EXPECT_GE(refused, 10);
  EXPECT_EQ(number(staff().maker.get("/v2/projects/" + well), "budget_minor"), paid);
  EXPECT_FALSE(is_parked("project/" + sick)) << "clients park nobody";

  cure();
  staff().maker.insist("/v2/projects/" + sick + "/fundings", funding(7));
  EXPECT_EQ(number(staff().maker.get("/v2/projects/" + sick), "budget_minor"), 7)
      << "nothing of the refused ones is left";
  EXPECT_TRUE(books().broken_links().empty());
  EXPECT_TRUE(eventually([] { return books().wrong_books().empty(); }));
}

TEST_F(parked, a_message_that_cannot_be_taken_waits_for_its_release) {
  const auto project = staff().active_project();
  staff().fund(project, 1'000'000);
  staff().import(project, register_csv(3, "PK"));
  const auto disbursement = staff().draft(project, 100);
  auto batches = items(staff().maker.get("/v2/batches?project=" + project));
  const auto batch = text(batches[0], "id");
  poison(batch);
  staff().maker.post("/v2/disbursements/" + disbursement + "/lock");
  EXPECT_TRUE(eventually([&] { return is_parked("batch/" + batch); }, 60s));
  auto ask_it = [&] {
    return staff().operator_.try_post("/v2/batches/" + batch + "/thaw", json::object{});
  };
  expect_problem(ask_it(), 503, "parked", "while it is parked");
  node().kill_hard();
  node().start();
  EXPECT_TRUE(is_parked("batch/" + batch)) << "remembered over a restart";
  EXPECT_TRUE(eventually([&] { return ask_it().body.find("parked") != std::string::npos; }));
  // Others of the same kind go on.
  const auto other = staff().active_project();
  staff().fund(other, 1'000'000);
  staff().import(other, register_csv(3, "PL"));
  staff().pay_out(staff().draft(other, 100));

  cure();
  EXPECT_TRUE(staff().internal("POST", "/internal/v1/parked/batch/" + batch + "/release").ok());
  auto locked = staff().until(disbursement, "locked", 60s);
  EXPECT_EQ(number(locked, "lines"), 3);
}

/// Rows that end the process which stores them, each time: without a bound nobody would be served.
TEST_F(parked, a_message_that_kills_the_servers_process_stops_nobody_else) {
  const auto project = staff().active_project();
  staff().fund(project, 1'000'000);
  staff().import(project, register_csv(3, "PM"));
  const auto disbursement = staff().draft(project, 100);
  const auto batch = text(items(staff().maker.get("/v2/batches?project=" + project))[0], "id");
  const auto well = staff().active_project();
  poison(batch, die);
  staff().maker.insist("/v2/disbursements/" + disbursement + "/lock", json::object{});
  std::int64_t paid = 0;
  EXPECT_TRUE(eventually(
      [&] {
        staff().maker.insist("/v2/projects/" + well + "/fundings", funding(1));
        ++paid;
        return is_parked("batch/" + batch);
      },
      60s));
  EXPECT_EQ(number(staff().maker.get("/v2/projects/" + well), "budget_minor"), paid);
  cure();
  EXPECT_TRUE(staff().internal("POST", "/internal/v1/parked/batch/" + batch + "/release").ok());
  EXPECT_EQ(number(staff().until(disbursement, "locked", 60s), "lines"), 3);
  EXPECT_TRUE(books().broken_links().empty());
}

} // namespace
} // namespace rahat::test
