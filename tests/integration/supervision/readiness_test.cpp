// What a node says of its readiness, and what it serves meanwhile, when its server turns on it.
#include "apps/rahatd/database_watch.hpp"
#include "apps/rahatd/node.hpp"
#include "tests/integration/supervision/lone_node.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>
#include <fstream>
#include <future>
#include <pqxx/pqxx>

namespace rahat::test {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class node_readiness : public testing::Test {
protected:
  void start(bool fsync_check, std::int64_t writers = 1) {
    auto c = lone_node(scratch_.path() / "data", db_);
    c.database.fsync_check = fsync_check;
    c.persistence.writers = writers;
    node_ = std::make_unique<node>(c, [](const std::string& why) { ADD_FAILURE() << why; });
    node_->start();
    std::ifstream{node_->admin_token_file()} >> token_;
    await("the node is ready", [this] { return readiness().status == 200; });
  }

  void TearDown() override {
    if (node_)
      node_->stop();
    admin("ALTER SYSTEM RESET ALL");
    admin("SELECT pg_reload_conf()");
  }

  void admin(const std::string& sql) {
    pqxx::connection c{db_.admin};
    pqxx::nontransaction{c}.exec(sql);
  }

  void set_fsync(const std::string& to) {
    admin("ALTER SYSTEM SET fsync = " + to);
    admin("SELECT pg_reload_conf()");
    await("fsync is " + to, [&] {
      pqxx::connection c{db_.admin};
      return pqxx::nontransaction{c}.exec1("SHOW fsync")[0].as<std::string>() == to;
    });
  }

  http_reply readiness() { return http_send(node_->internal_port(), "GET", "/readiness", {}); }

  http_reply make_vendor(const std::string& name) {
    return http_send(node_->public_port(), "POST", "/v2/vendors",
                     {{"Authorization", "Bearer " + token_},
                      {"Content-Type", "application/json"},
                      {"Idempotency-Key", name}},
                     R"({"name":")" + name + R"(","location":"x"})");
  }

  test_database db_ = pg_fixture::get().empty_database();
  scratch_folder scratch_;
  std::unique_ptr<node> node_;
  std::string token_;
};

/// Postgres takes a new value of fsync from its file, under open sessions (R8).
TEST_F(node_readiness, durable_is_red_and_nothing_is_served_while_fsync_is_off) {
  set_fsync("on");
  start(true);
  ASSERT_EQ(make_vendor("before").status, 201U);
  set_fsync("off");
  EXPECT_TRUE(eventually([&] { return readiness().status == 503; }));
  EXPECT_THAT(readiness().body, HasSubstr("fsync is off"));
  const auto refused = make_vendor("meanwhile");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_THAT(refused.body, HasSubstr("not_ready"));
  EXPECT_FALSE(refused.header("Retry-After").empty());
  set_fsync("on");
  EXPECT_TRUE(eventually([&] { return readiness().status == 200; })) << readiness().body;
  EXPECT_EQ(make_vendor("meanwhile").status, 201U);
}

/// What was decided before, and what entities do by themselves, is not written there either.
TEST_F(node_readiness, a_commit_that_waits_when_fsync_is_turned_off_lands_when_it_is_on_again) {
  set_fsync("on");
  start(true);
  const auto vendors = [this] {
    pqxx::connection c{db_.admin};
    return pqxx::nontransaction{c}
        .exec1("SELECT count(*) FROM journal WHERE kind = 'vendor'")[0]
        .as<int>();
  };
  pqxx::connection somebody{db_.admin};
  std::future<http_reply> waiting;
  {
    pqxx::work open{somebody};
    open.exec0("LOCK TABLE journal IN EXCLUSIVE MODE");
    waiting = std::async(std::launch::async, [this] { return make_vendor("waits"); });
    await("the commit waits for the lock", [this] {
      pqxx::connection c{db_.admin};
      return pqxx::nontransaction{c}
                 .exec1("SELECT count(*) FROM pg_locks WHERE NOT granted")[0]
                 .as<int>() > 0;
    });
    set_fsync("off");
    await("the writer has let go of its session", [this] {
      const auto page = http_send(node_->internal_port(), "GET", "/metrics", {}).body;
      return page.find("rahat_db_connect_failures_total 0\n") == std::string::npos;
    });
  }
  EXPECT_EQ(vendors(), 0);
  set_fsync("on");
  EXPECT_EQ(waiting.get().status, 201U);
  EXPECT_EQ(vendors(), 1);
}

TEST_F(node_readiness, whoever_says_so_is_served_without_fsync) {
  set_fsync("off");
  start(false);
  EXPECT_EQ(make_vendor("trial").status, 201U);
  EXPECT_THAT(readiness().body, HasSubstr("database.fsync_check = false"));
}

/// One of four writers is given nothing but refusals; docs/protocols/commit.md.
TEST_F(node_readiness, writers_is_red_while_one_of_them_is_refused) {
  start(false, 4);
  admin(R"(
CREATE FUNCTION test_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER test_full AFTER INSERT ON journal
  FOR EACH ROW WHEN (NEW.shard % 4 = 2) EXECUTE FUNCTION test_full())");
  http_reply refused;
  for (int i = 0; refused.status != 503 && i < 50; ++i)
    refused = make_vendor("vendor-" + std::to_string(i));
  ASSERT_EQ(refused.status, 503U) << "none met the writer";
  EXPECT_THAT(refused.body, HasSubstr("unavailable"));
  EXPECT_THAT(refused.body, HasSubstr("53100"));
  EXPECT_FALSE(refused.header("Retry-After").empty());
  const auto red = readiness();
  EXPECT_EQ(red.status, 503U);
  EXPECT_THAT(red.body, HasSubstr("writer-2"));
  EXPECT_THAT(red.body, HasSubstr("No space left on device"));
  EXPECT_THAT(http_send(node_->internal_port(), "GET", "/metrics", {}).body,
              testing::Not(HasSubstr("rahat_given_up_writes_total 0")));
  admin("DROP TRIGGER test_full ON journal");
  for (int i = 0; i < 50; ++i) { // each once, whatever its first try met
    const auto name = "vendor-" + std::to_string(i);
    EXPECT_TRUE(eventually([&] { return make_vendor(name).status == 201; })) << name;
  }
  EXPECT_EQ(readiness().status, 200U) << readiness().body;
}

TEST(writers_check, looks_at_all_of_them) {
  EXPECT_TRUE(writers_check({{100, ""}, {1, ""}}).ok);
  EXPECT_EQ(writers_check({{100, ""}, {1, ""}}).detail, "1 bytes of queue left");
  EXPECT_FALSE(writers_check({{100, ""}, {0, ""}, {100, ""}}).ok);
  const auto refused = writers_check({{100, ""}, {100, "53100: disk full"}});
  EXPECT_FALSE(refused.ok);
  EXPECT_THAT(refused.detail, HasSubstr("writer-1"));
  EXPECT_THAT(refused.detail, HasSubstr("53100: disk full"));
}

} // namespace
} // namespace rahat::test
