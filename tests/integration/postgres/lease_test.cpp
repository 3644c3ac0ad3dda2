#include "persistence/lease/node_lease.hpp"

#include "persistence/embedded/data_folder.hpp"
#include "persistence/lease/node_identity.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/node_number.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <csignal>
#include <pqxx/pqxx>

namespace {

using namespace rahat;
using namespace std::chrono_literals;
using test::eventually;
using test::node_number;
using test::patience;

/// Ten times faster than in production, so that a lapse does not cost seconds.
constexpr lease_terms quick{300ms, 50ms, 50ms};

/// A node of a cluster: it joins.
enrolment paper(std::uint8_t n) {
  enrolment who;
  who.node = node_number(n);
  who.name = "node-" + std::to_string(n);
  who.address = "10.0.0." + std::to_string(n);
  who.port = 7400;
  return who;
}

class lease : public testing::Test {
protected:
  lease() {
    pqxx::connection node{db.service};
    now = read_generation(node);
  }

  void run(const std::string& sql) {
    pqxx::connection admin{db.admin};
    pqxx::nontransaction{admin}.exec0(sql);
  }

  std::string ask(const std::string& sql) {
    pqxx::connection admin{db.admin};
    pqxx::nontransaction work{admin};
    return work.exec1(sql)[0].c_str();
  }

  bool runs(const lease_terms& terms = quick) {
    return ask("SELECT lease_runs(lease_until, interval '" + std::to_string(terms.ttl.count()) +
               " ms') FROM cluster_member WHERE node_uuid = '" + node.str() + "'") == "t";
  }

  /// As another member does, which judges by the database alone.
  bool declare_dead(std::int64_t incarnation) {
    run("INSERT INTO cluster_member (node_uuid, incarnation, name, status, lease_until) VALUES ('" +
        node_number(9).str() +
        "', 1, 'judge', 'up', clock_timestamp() + interval '300 ms') ON CONFLICT (node_uuid)"
        " DO UPDATE SET lease_until = excluded.lease_until");
    return ask("SELECT cluster_declare_dead_v1('" + node_number(9).str() + "', 1, m.node_uuid, " +
               std::to_string(incarnation) +
               ", 'lapsed', (extract(epoch FROM m.lease_until) * 1000000)::bigint, v.version,"
               " interval '300 ms', interval '6 s') FROM cluster_member m, cluster_view v"
               " WHERE m.node_uuid = '" +
               node.str() + "'") == "dead";
  }

  lease_callbacks watch() {
    return {[this](lease_end why) { end = why; }, {}};
  }

  test::test_database db = test::pg_fixture::get().fresh_database();
  uuid node = node_number(1);
  generation now;
  std::atomic<lease_end> end{lease_end::none};
};

TEST_F(lease, each_start_of_a_node_is_a_new_incarnation_and_a_new_view) {
  EXPECT_EQ(register_node(db.service, paper(1)).incarnation, 1);
  EXPECT_EQ(register_node(db.service, paper(1)).incarnation, 2);
  EXPECT_EQ(register_node(db.service, paper(2)).incarnation, 1);
  EXPECT_EQ(ask("SELECT version FROM cluster_view"), "4");
  EXPECT_EQ(ask("SELECT count(*) FROM cluster_member WHERE status = 'joining'"), "2");
}

TEST_F(lease, a_node_that_is_alone_is_up_at_once) {
  register_node(db.service, node, "alpha");
  EXPECT_EQ(ask("SELECT status FROM cluster_member"), "up");
}

TEST_F(lease, the_data_folder_remembers_incarnations_that_the_database_has_forgotten) {
  test::scratch_folder data;
  EXPECT_EQ(register_node(db.service, data.path(), paper(1)).incarnation, 1);
  EXPECT_EQ(register_node(db.service, data.path(), paper(1)).incarnation, 2);
  run("DELETE FROM cluster_member"); // restored from before this node's first start
  EXPECT_EQ(register_node(db.service, data.path(), paper(1)).incarnation, 3);
  EXPECT_EQ(read_small_file(data.path() / "incarnation"), "3\n");
  write_file_durably(data.path() / "incarnation", "three\n");
  EXPECT_THROW(register_node(db.service, data.path(), paper(1)), lease_error);
}

TEST_F(lease, a_refusal_says_what_to_do) {
  register_node(db.service, paper(1));
  auto other = paper(2);
  other.key_check = "x";
  try {
    run("UPDATE cluster_view SET key_check = 'y'");
    register_node(db.service, other);
    FAIL() << "another master key was taken";
  } catch (const lease_error& error) {
    EXPECT_STREQ(error.what(),
                 "this node has another master key than the cluster: give it the master key of the "
                 "others (trust.master_key, or their master.key file)");
  }
}

TEST_F(lease, a_joining_node_renews) {
  const auto me = register_node(db.service, paper(1), quick);
  node_lease held{db.service, me, now, quick, watch()};
  held.start();
  for (const char* status : {"joining", "up", "leaving"}) {
    run("UPDATE cluster_member SET status = '" + std::string{status} +
        "', lease_until = clock_timestamp()");
    EXPECT_TRUE(eventually([&] {
      held.beat();
      return runs() && held.valid();
    })) << status;
  }
  EXPECT_EQ(end, lease_end::none);
}

TEST_F(lease, reads_its_own_dead_row_and_ends) {
  const auto me = register_node(db.service, paper(1), quick);
  node_lease held{db.service, me, now, quick, watch()};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  run("UPDATE cluster_member SET status = 'dead'"); // by votes: its lease runs
  EXPECT_TRUE(eventually([&] {
    held.beat();
    return end == lease_end::declared_dead;
  }));
  EXPECT_FALSE(held.valid());
}

TEST_F(lease, says_since_when_it_is_steady_and_where_the_databases_clock_stands) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick};
  EXPECT_EQ(held.steady_since_us(), std::nullopt);
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  const rahat::lease& port = held;
  const auto since = port.steady_since_us();
  ASSERT_TRUE(since);
  const auto boot = std::chrono::duration_cast<std::chrono::microseconds>(read_boot_clock());
  EXPECT_LE(*since, boot.count());
  const auto database =
      std::stoll(ask("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"));
  EXPECT_NEAR(static_cast<double>(database - boot.count() - port.clock_offset_us()), 0, 1e6);
}

TEST_F(lease, it_is_held_and_renewed_as_long_as_the_heart_beats) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick};
  EXPECT_FALSE(held.valid());
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  const auto first = ask("SELECT lease_until FROM cluster_member");
  EXPECT_TRUE(eventually([&] {
    held.beat();
    return ask("SELECT lease_until > '" + first +
               "'::timestamptz + interval '1 second'"
               " FROM cluster_member") == "t";
  }));
  EXPECT_TRUE(held.valid());
  EXPECT_EQ(held.ended(), lease_end::none);
}

TEST_F(lease, a_wedged_node_lets_go_and_takes_up_again_when_it_beats) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick, watch()};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  EXPECT_TRUE(eventually([&] { return !held.valid(); })) << "no beat: no renewal";
  EXPECT_TRUE(eventually([&] { return !runs(); })) << "the database sees the lapse as well";
  EXPECT_TRUE(eventually([&] {
    held.beat();
    return held.valid();
  })) << "lapsed is not dead";
  EXPECT_EQ(ask("SELECT incarnation FROM cluster_member"), "1");
  EXPECT_EQ(end, lease_end::none);
}

TEST_F(lease, a_node_that_reads_its_own_death_stops_for_good) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick, watch()};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  EXPECT_FALSE(declare_dead(1)) << "its lease runs";
  ASSERT_TRUE(eventually([&] { return declare_dead(1); }));
  held.beat();
  ASSERT_TRUE(eventually([&] {
    held.beat();
    return end == lease_end::declared_dead;
  }));
  EXPECT_FALSE(held.valid());
  EXPECT_FALSE(declare_dead(1)) << "once";
  EXPECT_EQ(ask("SELECT version FROM cluster_view"), "3") << "start and death, nothing else";
}

TEST_F(lease, a_later_start_of_the_same_node_ends_the_earlier_one) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick, watch()};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  register_node(db.service, node, "alpha", quick);
  ASSERT_TRUE(eventually([&] {
    held.beat();
    return end == lease_end::superseded;
  }));
  EXPECT_FALSE(held.valid());
}

TEST_F(lease, nothing_is_written_into_another_generation) {
  const auto me = register_node(db.service, node, "alpha", quick);
  const auto before = ask("SELECT lease_until FROM cluster_member");
  auto other = now;
  ++other.timeline; // this node was registered before a promotion
  node_lease held{db.service, me, other, quick, watch()};
  held.start();
  ASSERT_TRUE(eventually([&] { return end == lease_end::other_generation; }));
  EXPECT_FALSE(held.valid());
  EXPECT_EQ(ask("SELECT lease_until FROM cluster_member"), before);
}

TEST_F(lease, its_own_clock_ends_it_while_the_database_is_silent) {
  const auto me = register_node(db.service, node, "alpha", quick);
  std::atomic<boot_time::rep> ahead{0};
  node_lease held{db.service,    me, now,
                  {10s, 5s, 1s}, {}, [&] { return read_boot_clock() + boot_time{ahead.load()}; }};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  ahead = std::chrono::duration_cast<boot_time>(9s).count(); // the machine slept
  EXPECT_FALSE(held.valid()) << "although the database still counts on it";
  EXPECT_TRUE(runs({10s, 5s, 1s}));
}

TEST_F(lease, it_survives_a_lost_connection) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick, watch()};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  const auto session =
      "FROM pg_stat_activity WHERE application_name = '" + me.application_name("lease") + "'";
  const auto before = ask("SELECT min(pid) " + session);
  ask("SELECT pg_terminate_backend(" + before + ")");
  EXPECT_TRUE(eventually([&] {
    held.beat();
    const auto pid = ask("SELECT coalesce(min(pid), 0) " + session);
    return pid != "0" && pid != before && held.valid();
  }));
  EXPECT_EQ(end, lease_end::none);
}

TEST_F(lease, a_lease_far_ahead_counts_as_lapsed) {
  register_node(db.service, node, "alpha", quick);
  EXPECT_TRUE(runs());
  run("UPDATE cluster_member SET lease_until = clock_timestamp() + interval '1 hour'");
  EXPECT_FALSE(runs()) << "the server's clock was set back";
  EXPECT_TRUE(declare_dead(1));
}

TEST_F(lease, an_orderly_end_is_seen_at_once) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  EXPECT_TRUE(held.release());
  EXPECT_FALSE(held.valid());
  EXPECT_FALSE(runs());
  EXPECT_EQ(ask("SELECT status FROM cluster_member"), "left");
  EXPECT_EQ(ask("SELECT version FROM cluster_view"), "3") << "start and end";
  node_lease again{db.service, me, now, quick};
  EXPECT_TRUE(again.release()) << "it has left already";
}

TEST_F(lease, stopping_does_not_wait_for_a_frozen_database) {
  const auto me = register_node(db.service, node, "alpha", quick);
  node_lease held{db.service, me, now, quick};
  held.start();
  ASSERT_TRUE(held.wait_valid(patience));
  const auto backend = std::stoi(ask("SELECT pid FROM pg_stat_activity WHERE application_name = '" +
                                     me.application_name("lease") + "'"));
  ASSERT_EQ(kill(backend, SIGSTOP), 0);
  EXPECT_TRUE(eventually([&] {
    held.beat();
    return !held.valid();
  })) << "the renewal hangs: the own clock ends the lease";
  const auto begin = std::chrono::steady_clock::now();
  held.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  kill(backend, SIGCONT);
}

} // namespace
