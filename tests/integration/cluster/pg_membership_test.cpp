// What only Postgres has: sessions, rows that are locked, servers that freeze.
#include "tests/integration/cluster/pg_cluster.hpp"
#include "tests/support/eventually.hpp"

#include <gmock/gmock.h>
#include <atomic>
#include <csignal>
#include <future>
#include <thread>

namespace rahat::conformance {

namespace {

using namespace std::chrono_literals;
using test::eventually;

template <class T>
using answer = std::variant<T, error>;

/// Two nodes that are active.
class pg_members : public testing::Test {
protected:
  using id = cluster::member_id;

  pg_members() : a(active(1)), b(active(2)) {}

  id active(std::uint8_t n) {
    enrolment who;
    who.node.bytes[15] = n;
    who.name = "node-" + std::to_string(n);
    who.address = "10.0.0.1";
    const auto me = std::get<id>(db.enrol(who, case_ttl));
    db.sql("UPDATE cluster_member SET status = 'up' WHERE node_uuid = '" + me.node.str() + "'");
    return me;
  }

  template <class T, class Call>
  answer<T> ask(Call call) {
    auto in = std::make_shared<std::promise<answer<T>>>();
    auto out = in->get_future();
    call([in](answer<T> got) { in->set_value(std::move(got)); });
    if (out.wait_for(answer_patience) != std::future_status::ready)
      return error{errc::internal, "no answer came", {}};
    return out.get();
  }

  answer<cluster_reading> read(const id& who) {
    return ask<cluster_reading>([&](auto done) { db.store(who).read(done); });
  }

  answer<std::optional<shard_grant>> take(const id& who, shard_id shard) {
    return ask<std::optional<shard_grant>>([&](auto done) { db.store(who).take(shard, done); });
  }

  template <class T>
  static errc code(const answer<T>& a) {
    return std::holds_alternative<error>(a) ? std::get<error>(a).code : errc::internal;
  }

  template <class T>
  static bool well(const answer<T>& a) {
    return std::holds_alternative<T>(a);
  }

  int backend(const id& who, const std::string& part) {
    const node_identity me{who.node, who.incarnation, ""};
    return std::stoi(db.ask("SELECT pid FROM pg_stat_activity WHERE application_name = '" +
                            me.application_name(part) + "'"));
  }

  pg_cluster db;
  id a, b;
};

/// Freezes a backend of the server, and thaws it whatever happens.
class frozen {
public:
  explicit frozen(int pid) : pid_(pid) { EXPECT_EQ(kill(pid_, SIGSTOP), 0); }
  ~frozen() { thaw(); }
  void thaw() { kill(pid_, SIGCONT); }

private:
  int pid_;
};

} // namespace

TEST_F(pg_members, a_lost_connection_is_made_anew) {
  ASSERT_TRUE(well(read(a)));
  ASSERT_TRUE(well(take(a, 1)));
  for (const auto* part : {"membership", "shards"})
    db.sql("SELECT pg_terminate_backend(" + std::to_string(backend(a, part)) + ", 5000)");
  EXPECT_TRUE(well(read(a))) << "that the server closed it is seen before anything is sent";
  EXPECT_TRUE(well(take(a, 1)));
}

TEST_F(pg_members, a_frozen_server_is_given_up_in_time_and_asked_again) {
  ASSERT_TRUE(eventually([&] { return well(read(a)); }));
  frozen server{backend(a, "membership")};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(code(read(a)), errc::unavailable);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, membership_limits::call);
  EXPECT_LT(took, 3s);
  // A busy machine may need longer than one call's time to connect.
  EXPECT_TRUE(eventually([&] { return well(read(a)); })) << "over a new connection";
}

TEST_F(pg_members, stopping_does_not_wait_for_a_frozen_server) {
  auto store = db.make(a);
  ASSERT_TRUE(well(ask<cluster_reading>([&](auto done) { store->read(done); })));
  const auto ready = ask<std::optional<shard_grant>>([&](auto done) { store->take(1, done); });
  ASSERT_TRUE(well(ready));
  frozen reader{backend(a, "membership")};
  frozen mover{backend(a, "shards")};
  std::atomic<int> refused{0};
  const auto count = [&](auto got) { refused += code(got) == errc::unavailable; };
  for (int i = 0; i < 5; ++i) {
    store->read(count);
    store->take(2, count);
  }
  const auto begin = std::chrono::steady_clock::now();
  store->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_EQ(refused, 10) << "each callback came, once";
  store->read(count);
  EXPECT_EQ(refused, 11) << "and those that come later are answered as well";
}

TEST_F(pg_members, calls_beyond_the_bound_are_refused_as_overloaded) {
  ASSERT_TRUE(well(read(a)));
  frozen server{backend(a, "membership")};
  std::atomic<int> overloaded{0}, others{0};
  const auto bound = static_cast<int>(membership_limits::waiting_calls);
  for (int i = 0; i < bound + 3; ++i) // one may be under way
    db.store(a).read([&](answer<cluster_reading> got) {
      ++(code(got) == errc::overloaded ? overloaded : others);
    });
  EXPECT_GE(overloaded, 2);
  EXPECT_LE(overloaded, 3);
  server.thaw();
  EXPECT_TRUE(eventually([&] { return overloaded + others == bound + 3; }));
}

TEST_F(pg_members, a_reading_does_not_wait_for_a_take) {
  pqxx::connection other{db.database().admin};
  pqxx::work holder{other};
  holder.exec("SELECT FROM shard WHERE shard = 7 FOR UPDATE");
  std::atomic<bool> answered{false};
  errc got = errc::internal;
  db.store(a).take(7, [&](auto answer) {
    got = code(answer);
    answered = true;
  });
  ASSERT_TRUE(
      eventually([&] { return db.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; }));
  EXPECT_TRUE(well(read(a)));
  EXPECT_FALSE(answered);
  EXPECT_TRUE(eventually([&] { return answered.load(); })) << "it gives the row up after 2 s";
  EXPECT_EQ(got, errc::unavailable);
  holder.commit();
  EXPECT_TRUE(well(take(a, 7)));
}

TEST_F(pg_members, a_take_does_not_wait_for_sessions_that_have_to_end) {
  auto stuck = db.session(b, "writer-0");
  frozen server{backend(b, "writer-0")};
  std::atomic<bool> ended{false};
  db.store(a).end_sessions(b, [&](auto) { ended = true; });
  ASSERT_TRUE(eventually([&] {
    return db.ask(
               "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND"
               " query LIKE '%pg_terminate_backend%' AND pid <> pg_backend_pid()") != "0";
  }));
  const auto mine = take(a, 3);
  ASSERT_TRUE(well(mine));
  const auto grant = std::get<std::optional<shard_grant>>(mine);
  ASSERT_TRUE(grant);
  EXPECT_TRUE(well(ask<swap>([&](auto done) { db.store(a).release(*grant, done); })));
  EXPECT_FALSE(ended) << "it still waits";
  server.thaw();
  EXPECT_TRUE(eventually([&] { return ended.load(); }));
}

TEST_F(pg_members, another_generation_is_no_database) {
  const auto found = read_generation(db.database().service);
  auto other = found;
  ++other.timeline;
  pg_membership store{db.database().service, {a.node, a.incarnation, "a"}, other, {}, 6s};
  EXPECT_EQ(code(ask<cluster_reading>([&](auto done) { store.read(done); })), errc::unavailable);
  EXPECT_EQ(code(ask<std::optional<shard_grant>>([&](auto done) { store.take(3, done); })),
            errc::unavailable);
  EXPECT_EQ(db.ask("SELECT count(owner) FROM shard"), "0");
}

/// The server holds a commit of the dead owner in its last moment; whoever takes waits until that
/// session is gone, and finds the head where it was.
TEST_F(pg_members, a_commit_held_in_the_server_does_not_outlive_the_take) {
  ASSERT_TRUE(well(take(b, 4)));
  db.sql(
      "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$;"
      "CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON shard DEFERRABLE INITIALLY DEFERRED"
      " FOR EACH ROW WHEN (NEW.head_position > OLD.head_position) EXECUTE FUNCTION hold()");
  pqxx::connection other{db.database().admin};
  pqxx::work gate{other};
  gate.exec("SELECT pg_advisory_xact_lock(4711)");
  auto writer = db.session(b, "writer-0");
  std::thread commit{[&] {
    pqxx::nontransaction work{*writer};
    EXPECT_ANY_THROW(work.exec("UPDATE shard SET head_position = 9 WHERE shard = 4"));
  }};
  EXPECT_TRUE(eventually([&] {
    return db.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") ==
           "1";
  }));
  db.set_lease(b, -1s);
  const auto seen = std::get<cluster_reading>(read(a));
  const auto dead = ask<swap>([&](auto done) {
    db.store(a).declare(
        {seen.now.version, b, cluster::death_reason::lapsed, seen.now.find(b)->lease_until_us},
        done);
  });
  ASSERT_TRUE(well(dead));
  EXPECT_EQ(std::get<swap>(dead), swap::done);
  const auto ended = ask<int>([&](auto done) { db.store(a).end_sessions(b, done); });
  ASSERT_TRUE(well(ended));
  EXPECT_GE(std::get<int>(ended), 1);
  const auto taken = take(a, 4);
  gate.commit(); // had the session lived, its commit would land now
  commit.join();
  ASSERT_TRUE(well(taken));
  const auto grant = std::get<std::optional<shard_grant>>(taken);
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->head_position, 0);
  EXPECT_EQ(db.ask("SELECT head_position FROM shard WHERE shard = 4"), "0");
}

TEST_F(pg_members, a_session_that_does_not_end_is_named) {
  auto stuck = db.session(b, "writer-0");
  const auto pid = backend(b, "writer-0");
  frozen server{pid};
  const auto ended = ask<int>([&](auto done) { db.store(a).end_sessions(b, done); });
  ASSERT_FALSE(well(ended));
  EXPECT_EQ(code(ended), errc::unavailable);
  EXPECT_THAT(std::get<error>(ended).message, testing::HasSubstr(std::to_string(pid)));
  server.thaw();
  EXPECT_TRUE(well(ask<int>([&](auto done) { db.store(a).end_sessions(b, done); })));
  EXPECT_EQ(db.sessions(b), 0u);
}

} // namespace rahat::conformance
