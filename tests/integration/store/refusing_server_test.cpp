// A server that answers and refuses all that it is given, and one that is not to be trusted.
#include "persistence/postgres/decode.hpp"
#include "tests/integration/store/store_kit.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <future>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Sends the commits of one entity.
class one_host {
public:
  one_host(pg_store& store, entity_ref self) : store_(store), self_(std::move(self)) {}

  bool load(std::uint64_t incarnation) {
    auto done = std::make_shared<std::promise<bool>>();
    auto loaded = done->get_future();
    store_.load(self_, incarnation, 1, [done](outcome<loaded_entity> o) {
      done->set_value(std::holds_alternative<loaded_entity>(o));
    });
    return loaded.wait_for(patience) == std::future_status::ready && loaded.get();
  }

  /// Why it has failed; without a message: it has landed.
  std::future<commit_refusal> send(std::uint64_t incarnation, std::uint64_t seq) {
    struct ear final : commit_listener {
      std::promise<commit_refusal> heard;
      void committed(std::uint64_t, std::uint64_t) override { heard.set_value({{}, ""}); }
      void failed(std::uint64_t, const commit_refusal& why) override { heard.set_value(why); }
    };
    auto listener = std::make_shared<ear>();
    store_.write(probe_commit(self_, incarnation, seq), listener);
    return listener->heard.get_future();
  }

  commit_refusal outcome_of(std::uint64_t incarnation, std::uint64_t seq) {
    auto heard = send(incarnation, seq);
    if (heard.wait_for(patience) != std::future_status::ready)
      throw std::runtime_error("nothing was heard of the commit");
    return heard.get();
  }

private:
  pg_store& store_;
  const entity_ref self_;
};

struct counts final : pg::store_probe {
  void commits_given_up(std::size_t n) override { given_up += n; }
  void connect_failed() override { ++not_connected; }
  std::atomic<std::size_t> given_up{0};
  std::atomic<int> not_connected{0};
};

/// Settings of the tests' server, which are put back when it goes.
class server_settings {
public:
  ~server_settings() { run("ALTER SYSTEM RESET ALL"); }

  void set(const std::string& setting, const std::string& to) {
    run("ALTER SYSTEM SET " + setting + " = " + to);
    await(setting + " is " + to, [&] {
      pqxx::connection look{pg_fixture::get().server().admin_conninfo()};
      pqxx::nontransaction work{look};
      return work.exec1("SHOW " + setting)[0].as<std::string>() == to;
    });
  }

private:
  static void run(const std::string& sql) {
    pqxx::connection admin{pg_fixture::get().server().admin_conninfo()};
    pqxx::nontransaction work{admin};
    work.exec0(sql);
    work.exec1("SELECT pg_reload_conf()");
  }
};

std::uint64_t journal_rows(store_kit& kit) {
  return pg::number_of(kit.sql("SELECT count(*) FROM journal")[0][0]);
}

} // namespace

/// docs/protocols/commit.md, "When Postgres answers and refuses everything".
TEST(refusing_server, is_told_with_its_sqlstate_until_a_batch_lands) {
  counts probe;
  pg::store_options how;
  how.probe = &probe;
  how.condition_patience = 300ms;
  store_kit kit{how};
  std::size_t given_up = 0;
  std::uint64_t landed = 0;
  for (const auto* state : {"53100", "55P03", "57014", "58030", "25006", "42501"}) {
    SCOPED_TRACE(state);
    kit.refuse_batches(state, 1'000'000);
    one_host host{kit.store(), {"probe", derive_id({"given up", state})}};
    ASSERT_TRUE(host.load(1));
    const auto first = host.outcome_of(1, 1);
    EXPECT_EQ(first.why, commit_failure::unavailable) << first.message;
    EXPECT_THAT(first.message, HasSubstr(state));
    ASSERT_TRUE(host.load(2)) << "who only reads is not kept waiting";
    EXPECT_EQ(host.outcome_of(2, 1).why, commit_failure::unavailable);
    EXPECT_EQ(probe.given_up, given_up += 2);
    const auto told = kit.store().writers().at(0);
    EXPECT_THAT(told.refused, HasSubstr(state));
    EXPECT_THAT(told.refused, HasSubstr("injected")) << "Postgres' own words";
    EXPECT_EQ(told.credit, kit.options().writer_bytes) << "its bytes are given back";
    EXPECT_EQ(journal_rows(kit), landed);
    kit.refuse_batches(state, 0);
    ASSERT_TRUE(host.load(3));
    EXPECT_EQ(host.outcome_of(3, 1).message, "") << "it lands";
    EXPECT_EQ(journal_rows(kit), ++landed);
    EXPECT_EQ(kit.store().writers().at(0).refused, "");
  }
}

/// A real lock, held by a transaction that somebody has left open.
TEST(refusing_server, a_lock_that_stays_keeps_nobody_waiting_for_ever) {
  pg::store_options how;
  how.condition_patience = 300ms;
  how.lock_timeout = 100ms;
  store_kit kit{how};
  one_host host{kit.store(), {"probe", derive_id({"locked out"})}};
  ASSERT_TRUE(host.load(1));
  {
    pqxx::connection somebody{kit.admin_conninfo()};
    pqxx::work open{somebody};
    open.exec0("LOCK TABLE journal IN EXCLUSIVE MODE");
    const auto heard = host.outcome_of(1, 1);
    EXPECT_EQ(heard.why, commit_failure::unavailable);
    EXPECT_THAT(heard.message, HasSubstr("55P03"));
  }
  ASSERT_TRUE(host.load(2));
  EXPECT_EQ(host.outcome_of(2, 1).message, "");
}

/// A server whose settings were changed while it was away: what waits is not given to it (R8).
TEST(refusing_server, that_comes_back_without_fsync_is_given_nothing) {
  counts probe;
  server_settings server;
  server.set("fsync", "on");
  pg::store_options how;
  how.probe = &probe;
  store_kit kit{how};
  kit.close();
  kit.options().refuse_unsafe = true;
  kit.reopen();
  one_host host{kit.store(), {"probe", derive_id({"durable"})}};
  ASSERT_TRUE(host.load(1));
  EXPECT_EQ(host.outcome_of(1, 1).message, "");
  for (const auto* setting : {"fsync", "full_page_writes"}) {
    SCOPED_TRACE(setting);
    server.set(setting, "off");
    if (setting == std::string_view{"fsync"})
      kit.kill_writers();
    else
      kit.store().distrust(); // changed under open sessions, and the node has seen it
    const auto landed = journal_rows(kit);
    const auto before = probe.not_connected.load();
    auto heard = host.send(1, landed + 1);
    EXPECT_TRUE(eventually([&] { return probe.not_connected > before + 2; }));
    EXPECT_EQ(journal_rows(kit), landed);
    server.set(setting, "on");
    ASSERT_EQ(heard.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(heard.get().message, "") << "it lands when the server is safe again";
  }
}

} // namespace rahat::test
