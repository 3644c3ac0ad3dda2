#include "tests/e2e/running_node.hpp"
#include "tests/support/ws_client.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>
#include <fstream>
#include <future>
#include <map>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class lifecycle : public running_node {
protected:
  void SetUp() override {
    if (!node().running())
      node().start();
  }

  static http_reply open_page(const std::string& path) {
    return http_send(node().internal_port(), "GET", path, {});
  }

  static bool ready() { return open_page("/readiness").status == 200; }
};

TEST_F(lifecycle, a_stop_answers_what_was_asked_before_it) {
  books().run(R"(
CREATE FUNCTION test_slow_vendor() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$;
CREATE TRIGGER test_slow_vendor AFTER INSERT ON journal
  FOR EACH ROW WHEN (NEW.kind = 'vendor') EXECUTE FUNCTION test_slow_vendor())");
  auto asked = std::async(std::launch::async, [] {
    return staff().maker.try_post("/v2/vendors", {{"name", "late"}, {"location", "x"}}, "drain-1");
  });
  const ledger all{node().admin_conninfo()}; // who else is not shown what others wait for
  await("the commit runs", [&] {
    return all.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0;
  });
  const auto server = node().postmaster();
  node().send_signal(SIGTERM);
  auto reply = asked.get();
  EXPECT_EQ(reply.status, 201U) << reply.fault << reply.body;
  EXPECT_EQ(node().wait_end(), 0);
  EXPECT_TRUE(eventually([&] { return kill(server, 0) != 0; })) << "it stops its own Postgres";
  node().start();
  books().run("DROP TRIGGER test_slow_vendor ON journal");
  auto again =
      staff().maker.try_post("/v2/vendors", {{"name", "late"}, {"location", "x"}}, "drain-1");
  EXPECT_EQ(again.body, reply.body) << "what was answered was durable";
}

/// A client that does not answer the closing of its WebSocket holds the drain up for two seconds.
TEST_F(lifecycle, a_stop_serves_whoever_asks_until_its_doors_close) {
  const auto token = "Bearer " + node().admin_token();
  ws_client stubborn{node().port(), {"/v2/live", token, ""}};
  ASSERT_TRUE(stubborn.accepted()) << stubborn.status();
  node().send_signal(SIGTERM);
  std::map<unsigned, int> answers;
  bool red = false;
  for (http_reply last; last.fault.empty();) {
    red = red || open_page("/readiness").status == 503;
    last = http_send(node().port(), "GET", "/v2/projects", {{"Authorization", token}});
    if (last.fault.empty())
      ++answers[last.status];
  }
  EXPECT_TRUE(red) << "balancers are told at once";
  EXPECT_GT(answers[200], 10);
  answers.erase(200);
  EXPECT_THAT(answers, testing::IsEmpty());
  EXPECT_EQ(node().wait_end(), 0);
  node().start();
}

TEST_F(lifecycle, the_limit_of_open_files_is_raised) {
  const auto limit = [](pid_t pid) {
    rlimit out{};
    EXPECT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &out), 0);
    return out;
  };
  const auto mine = limit(0);
  const rlimit low{256, mine.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  node().stop();
  node().start();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &mine), 0);
  EXPECT_EQ(limit(node().pid()).rlim_cur, mine.rlim_max);
}

/// What a service manager allows by default does not hold all the connections that are allowed.
TEST_F(lifecycle, too_few_open_files_are_told_with_what_to_set) {
  const auto program = node().scratch().path() / "rahatd-with-few-files";
  std::ofstream{program}
      << "#!/bin/sh\nulimit -n 1024\nexec "
      << std::filesystem::read_symlink("/proc/" + std::to_string(node().pid()) + "/exe").string()
      << " \"$@\"\n";
  std::filesystem::permissions(program, std::filesystem::perms{0755});
  node_process few;
  few.use_program(program.string());
  few.start();
  const auto needs = std::to_string(10'000 + 5'000 + 1 + 2 + 256 + 512);
  EXPECT_EQ(few.count_in_log("file_limit_low"), 1U);
  EXPECT_EQ(few.count_in_log("LimitNOFILE=" + needs), 1U) << few.log_tail();
  const auto seen = http_send(few.internal_port(), "GET", "/internal/v1/doctor",
                              {{"Authorization", "Bearer " + few.admin_token()}});
  EXPECT_THAT(seen.body, HasSubstr("file_limit_low"));
  EXPECT_EQ(few.stop(), 0);
}

TEST_F(lifecycle, a_second_node_on_the_same_folder_is_refused) {
  auto second = run_rahatd(node().start_flags());
  EXPECT_EQ(second.exit_code, 3) << second.output;
  EXPECT_THAT(second.output, HasSubstr(node().data().string()));
  EXPECT_TRUE(ready()) << "the first one is not harmed";
}

TEST_F(lifecycle, a_start_after_a_kill_adopts_the_server_that_runs) {
  const auto server = node().postmaster();
  ASSERT_GT(server, 0);
  node().kill_hard();
  EXPECT_EQ(kill(server, 0), 0) << "Postgres outlives the node";
  node().start();
  EXPECT_EQ(node().postmaster(), server);
  EXPECT_TRUE(staff().reader.try_get("/v2/projects").ok());
}

TEST_F(lifecycle, a_server_that_dies_is_started_again) {
  const auto server = node().postmaster();
  node().kill_postgres(true);
  EXPECT_TRUE(eventually([&] { return node().postmaster() > 0 && node().postmaster() != server; }));
  EXPECT_TRUE(eventually(ready));
  EXPECT_EQ(staff().maker.insist("/v2/vendors", {{"name", "a"}, {"location", "b"}}).at("name"),
            json::value("a"));
}

TEST_F(lifecycle, the_configuration_is_checked_with_every_error_at_once) {
  auto good = run_rahatd({"--check-config", "--node.data_dir", "/tmp/rahat-nowhere"});
  EXPECT_EQ(good.exit_code, 0) << good.output;
  auto bad = run_rahatd({"--check-config", "--http.public_port", "99999", "--log.level", "loud"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.output, HasSubstr("http.public_port"));
  EXPECT_THAT(bad.output, HasSubstr("log.level"));
  const auto file = node().scratch().path() / "bad.toml";
  std::ofstream{file} << "[http]\npublic_prt = 8080\n";
  auto unknown = run_rahatd({"--check-config", "--config", file.string()});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.output, HasSubstr("public_prt"));
}

TEST_F(lifecycle, the_admin_token_is_the_owners_alone) {
  struct stat seen {};
  ASSERT_EQ(stat((node().data() / "admin.token").c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 07777, 0600U);
  ASSERT_EQ(stat(node().data().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0006, 0U) << "others may pass, not look";
  EXPECT_FALSE(node().admin_token().empty());
  EXPECT_EQ(node().count_in_log(node().admin_token()), 0U);
}

TEST_F(lifecycle, three_pages_are_open_and_no_other) {
  for (auto* page : {"/health", "/readiness", "/metrics"})
    EXPECT_EQ(open_page(page).status, 200U) << page;
  EXPECT_THAT(open_page("/metrics").body, HasSubstr("rahat_books_imbalance_minor_units"));
  for (auto* page : {"/internal/v1/actors", "/internal/v1/parked", "/internal/v1/books",
                     "/internal/v1/audit/verify", "/internal/v1/doctor"})
    expect_problem(open_page(page), 401, "unauthenticated", page);
  for (auto* page : {"/v2/projects", "/v2/openapi.json"})
    expect_problem(http_send(node().port(), "GET", page, {}), 401, "unauthenticated", page);
  EXPECT_EQ(http_send(node().port(), "GET", "/metrics", {}).status, 404U) << "not in public";
}

TEST_F(lifecycle, readiness_follows_the_database) {
  ASSERT_TRUE(eventually(ready));
  node().freeze_postgres();
  EXPECT_TRUE(eventually([] { return open_page("/readiness").status == 503; }));
  EXPECT_EQ(open_page("/health").status, 200U) << "the process itself is well";
  // Its lease runs out meanwhile: it may not answer from memory any more.
  EXPECT_TRUE(eventually([] { return staff().reader.try_get("/v2/projects").status == 503; }));
  node().thaw_postgres();
  EXPECT_TRUE(eventually(ready));
  EXPECT_TRUE(staff().maker.insist("/v2/vendors", {{"name", "a"}, {"location", "b"}}).is_object());
  EXPECT_TRUE(node().running());
}

TEST_F(lifecycle, a_node_that_slept_longer_than_its_lease_goes_on) {
  const auto project = staff().active_project();
  node().freeze();
  await("its lease has lapsed", [] {
    return books().number(
               "SELECT count(*) FROM cluster_member WHERE status = 'up'"
               " AND lease_until < clock_timestamp() - interval '1 s'") == 1;
  });
  node().thaw();
  staff().maker.insist("/v2/projects/" + project + "/fundings",
                       {{"amount_minor", 5}, {"currency", "NPR"}, {"reference", "R"}});
  EXPECT_EQ(number(staff().maker.get("/v2/projects/" + project), "budget_minor"), 5);
}

} // namespace
} // namespace rahat::test
