#include "persistence/tokens/token_book.hpp"

#include "tests/support/pg_fixture.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <chrono>
#include <pqxx/pqxx>
#include <thread>

/// Each node has a book of its own; what one of them makes, or an administrator revokes, holds at
/// all of them.
namespace rahat {
namespace {

using namespace std::chrono_literals;

class tokens : public testing::Test {
protected:
  std::string make(token_book& at, const std::string& user = "asha") {
    auto made = at.create(user, "maker");
    EXPECT_TRUE(std::holds_alternative<std::string>(made));
    return std::get<std::string>(made);
  }

  void sql(const std::string& text) {
    pqxx::connection admin{database.admin};
    pqxx::nontransaction work{admin};
    work.exec(text);
  }

  /// The time that a node is given to notice, and a little for a busy machine.
  template <class Condition>
  static std::chrono::steady_clock::duration until(Condition holds) {
    const auto began = std::chrono::steady_clock::now();
    while (!holds() && std::chrono::steady_clock::now() - began < 10s)
      std::this_thread::yield();
    EXPECT_TRUE(holds());
    return std::chrono::steady_clock::now() - began;
  }

  static void start(token_book& book) {
    book.as_part().start([](const std::string& why) { ADD_FAILURE() << why; });
  }

  test::test_database database = test::pg_fixture::get().fresh_database();
  system_clock_port time;
  system_random dice;
  token_book one{database.service, time, dice};
  token_book two{database.service, time, dice};
};

TEST_F(tokens, one_that_was_made_elsewhere_is_known_after_a_refresh) {
  const auto token = make(one);
  EXPECT_FALSE(two.owner_of(token));
  EXPECT_TRUE(two.refresh());
  ASSERT_TRUE(two.owner_of(token));
  EXPECT_EQ(two.owner_of(token)->user, "asha");
  EXPECT_EQ(two.owner_of(token)->role, "maker");
  EXPECT_FALSE(two.refresh()) << "nothing has changed: the rows are left alone";
}

TEST_F(tokens, one_that_was_revoked_or_removed_is_known_no_more) {
  const auto revoked = make(one);
  const auto removed = make(one);
  const auto stays = make(one);
  two.refresh();
  ASSERT_EQ(two.size(), 3u);
  sql("UPDATE token SET revoked_us = 1 WHERE hash = sha256('" + revoked + "')");
  sql("DELETE FROM token WHERE hash = sha256('" + removed + "')");
  EXPECT_TRUE(two.refresh());
  EXPECT_TRUE(one.refresh()) << "its maker forgets it as well";
  for (auto* book : {&one, &two}) {
    EXPECT_FALSE(book->owner_of(revoked));
    EXPECT_FALSE(book->owner_of(removed));
    EXPECT_TRUE(book->owner_of(stays));
  }
}

/// Another node's clock is behind: the newest of all rows stays the same one.
TEST_F(tokens, a_change_is_seen_whatever_the_clocks_of_the_nodes_say) {
  make(one);
  two.refresh();
  const auto late = make(one);
  sql("UPDATE token SET created_us = 1 WHERE hash = sha256('" + late + "')");
  EXPECT_TRUE(two.refresh());
  EXPECT_TRUE(two.owner_of(late));
}

TEST_F(tokens, hold_at_every_node_within_two_seconds) {
  start(one);
  start(two);
  const auto token = make(one);
  EXPECT_LT(until([&] { return two.owner_of(token).has_value(); }), 2s);
  sql("UPDATE token SET revoked_us = 1");
  EXPECT_LT(until([&] { return !one.owner_of(token) && !two.owner_of(token); }), 2s);
}

/// A reading that began before the token was stored must not take it away again.
TEST_F(tokens, one_that_was_just_made_never_vanishes_at_its_maker) {
  sql("INSERT INTO token SELECT sha256(n::text::bytea), 'many', 'reader', n, NULL"
      " FROM generate_series(1, 5000) n"); // so that a reading takes its time
  std::atomic<bool> stop{false};
  std::atomic<int> readings{0};
  std::thread reader{[&] {
    for (; !stop; ++readings)
      one.refresh();
  }};
  for (int i = 0; i < 8; ++i) {
    make(two, "binod"); // there is something to read
    const auto token = make(one);
    const auto before = readings.load(); // one is under way
    until([&] { return !one.owner_of(token) || readings > before + 1; });
    EXPECT_TRUE(one.owner_of(token)) << i;
  }
  stop = true;
  reader.join();
}

TEST_F(tokens, stay_known_while_the_database_is_away_and_are_read_when_it_is_back) {
  const auto token = make(one);
  two.refresh();
  {
    pqxx::connection elsewhere{test::pg_fixture::get().fresh_database().admin};
    pqxx::nontransaction work{elsewhere};
    work.exec("ALTER DATABASE " + database.name + " ALLOW_CONNECTIONS false");
    work.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
              database.name + "'");
    EXPECT_THROW(two.refresh(), std::exception);
    EXPECT_TRUE(two.owner_of(token));
    work.exec("ALTER DATABASE " + database.name + " ALLOW_CONNECTIONS true");
  }
  sql("UPDATE token SET revoked_us = 1");
  EXPECT_TRUE(two.refresh());
  EXPECT_FALSE(two.owner_of(token));
}

} // namespace
} // namespace rahat
