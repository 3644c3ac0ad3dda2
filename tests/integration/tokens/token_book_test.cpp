#include "persistence/tokens/token_book.hpp"

#include "tests/support/pg_fixture.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <chrono>
#include <pqxx/pqxx>
#include <set>
#include <thread>
#include <vector>

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

// -- made under a key -------------------------------------------------------------------------

digest secret_of(const char* name) {
  return sha256(name);
}

std::optional<errc> refusal_of(const std::variant<std::string, error>& made) {
  auto* e = std::get_if<error>(&made);
  return e == nullptr ? std::nullopt : std::optional(e->code);
}

/// A client that got no answer asks again, maybe another node.
TEST_F(tokens, asking_again_with_the_same_secret_gives_the_same_token) {
  auto first = one.create_once("asha", "maker", secret_of("k"));
  ASSERT_FALSE(refusal_of(first));
  const auto token = std::get<std::string>(first);
  EXPECT_EQ(std::get<std::string>(one.create_once("asha", "maker", secret_of("k"))), token);
  EXPECT_EQ(std::get<std::string>(two.create_once("asha", "maker", secret_of("k"))), token);
  EXPECT_EQ(one.size(), 1u);
  EXPECT_TRUE(two.owner_of(token));
  EXPECT_NE(std::get<std::string>(one.create_once("asha", "maker", secret_of("l"))), token);
}

TEST_F(tokens, a_secret_of_another_user_or_role_is_refused) {
  ASSERT_FALSE(refusal_of(one.create_once("asha", "maker", secret_of("k"))));
  for (auto [user, role] : {std::pair{"bina", "maker"}, std::pair{"asha", "checker"}})
    EXPECT_EQ(refusal_of(two.create_once(user, role, secret_of("k"))),
              errc::idempotency_key_reused);
  EXPECT_EQ(std::get<token_list>(one.list(10, "")).rows.size(), 1u);
}

// -- listed and revoked -----------------------------------------------------------------------

TEST_F(tokens, one_that_was_revoked_lets_nobody_in_and_is_not_made_again) {
  const auto token = std::get<std::string>(one.create_once("asha", "maker", secret_of("k")));
  const auto stays = make(one, "bina");
  two.refresh();
  auto gone = two.revoke(token_book::id_of(token));
  ASSERT_TRUE(std::holds_alternative<token_entry>(gone));
  const auto when = std::get<token_entry>(gone).revoked_us;
  EXPECT_TRUE(when);
  EXPECT_FALSE(two.owner_of(token)) << "here at once";
  EXPECT_TRUE(one.refresh());
  EXPECT_FALSE(one.owner_of(token));
  EXPECT_TRUE(one.owner_of(stays));
  EXPECT_EQ(std::get<token_entry>(one.revoke(token_book::id_of(token))).revoked_us, when)
      << "again changes nothing";
  EXPECT_EQ(refusal_of(one.create_once("asha", "maker", secret_of("k"))), errc::wrong_status);
  EXPECT_FALSE(one.owner_of(token));
  for (auto id : {"", "7", "0123456789abcdef", "0123456789ABCDEF", "' OR true --"})
    EXPECT_TRUE(std::holds_alternative<error>(one.revoke(id))) << id;
}

TEST_F(tokens, are_listed_newest_first_page_by_page) {
  std::vector<std::string> made;
  for (int n = 0; n < 7; ++n)
    made.push_back(token_book::id_of(make(one, "user" + std::to_string(n))));
  sql("UPDATE token SET created_us = 5 WHERE user_name IN ('user1', 'user2', 'user3')");
  one.revoke(made[0]);
  std::vector<token_entry> all;
  std::string cursor;
  int pages = 0;
  do {
    auto page = std::get<token_list>(two.list(2, cursor));
    all.insert(all.end(), page.rows.begin(), page.rows.end());
    cursor = page.next;
    ASSERT_LT(++pages, 6);
  } while (!cursor.empty());
  ASSERT_EQ(all.size(), 7u);
  std::set<std::string> ids;
  for (std::size_t n = 0; n < all.size(); ++n) {
    ids.insert(all[n].id);
    EXPECT_TRUE(n == 0 || all[n].created_us <= all[n - 1].created_us);
    EXPECT_EQ(all[n].revoked_us.has_value(), all[n].owner.user == "user0");
    EXPECT_EQ(all[n].owner.role, "maker");
  }
  EXPECT_EQ(ids, std::set<std::string>(made.begin(), made.end()));
  for (auto bad : {"x", "7", "7.", "7.zz", "7.0123456789ABCDEF", ".0123456789abcdef"})
    EXPECT_TRUE(std::holds_alternative<error>(one.list(2, bad))) << bad;
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
