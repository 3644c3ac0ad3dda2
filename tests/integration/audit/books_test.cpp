#include "persistence/audit/pg_auditor.hpp"

#include "persistence/audit/errors.hpp"
#include "runtime/decider/account.hpp"
#include "tests/integration/audit/world.hpp"
#include "tests/support/eventually.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

/// Per owner: known balance + notices not yet applied = sum of transfers, at any time (R12), and
/// found by following the journal, not by adding up everything (R25).
namespace {

using namespace rahat;
using test::eventually;

class audit_books : public testing::Test {
protected:
  /// Exact for the follower, for one that begins anew, and for a recount.
  void expect_exact(const char* when) {
    SCOPED_TRACE(when);
    for (const auto& report : {follower.books(), follower.recount()}) {
      EXPECT_TRUE(report.complete);
      EXPECT_EQ(report.imbalance_minor, 0);
      for (auto& d : report.differences)
        ADD_FAILURE() << d.owner.str() << " knows " << d.known_minor << ", was told "
                      << d.unapplied_minor << ", transfers say " << d.transfers_minor;
    }
  }

  test::world w;
  pg_auditor follower{w.options()};
};

TEST_F(audit_books, are_exact_after_every_commit_with_notices_under_way) {
  expect_exact("empty");
  w.fund(1'000'000, 50'000);
  expect_exact("funded, the reserve is not known yet");
  w.apply(w.disbursement, w.project);
  expect_exact("reserved");
  w.lock(30);
  w.pay(0, 10);
  expect_exact("one chunk under way");
  w.pay(10, 10);
  w.pay(20, 10);
  expect_exact("three chunks under way");
  w.apply(w.batch, w.disbursement);
  expect_exact("one arrived");
  w.apply(w.batch, w.disbursement);
  w.apply(w.batch, w.disbursement);
  w.tell(w.batch, w.vendor); // takes a number of the lane
  w.redeem(1, 20);
  w.redeem(2, 30);
  expect_exact("redemptions under way");
  w.apply(w.vendor, w.batch);
  expect_exact("the message without money arrived");
  w.apply(w.vendor, w.batch);
  w.apply(w.vendor, w.batch);
  expect_exact("all arrived");
  EXPECT_EQ(w.count("audit_notice"), "0");
}

TEST_F(audit_books, report_what_was_moved) {
  w.live();
  const auto report = follower.books();
  EXPECT_EQ(std::to_string(report.transfers), w.count("transfer"));
  EXPECT_EQ(report.moved_minor,
            w.sql("SELECT sum(amount_minor) FROM transfer")[0][0].as<std::int64_t>());
  EXPECT_EQ(report.owners, 4u);
  const auto again = follower.recount();
  EXPECT_EQ(again.transfers, report.transfers);
  EXPECT_EQ(again.moved_minor, report.moved_minor);
  EXPECT_EQ(again.owners, report.owners);
}

TEST_F(audit_books, an_altered_total_is_found_with_its_owner) {
  w.live();
  follower.books();
  w.sql("UPDATE owned_total SET amount_minor = amount_minor + 7 WHERE kind = 'batch'");
  for (const auto& report : {follower.books(), follower.recount()}) {
    EXPECT_EQ(report.imbalance_minor, 7);
    ASSERT_EQ(report.differences.size(), 1u);
    EXPECT_EQ(report.differences[0].owner, w.batch);
    EXPECT_EQ(report.differences[0].currency, "NPR");
    EXPECT_EQ(report.differences[0].known_minor + report.differences[0].unapplied_minor,
              report.differences[0].transfers_minor + 7);
  }
  w.sql("DELETE FROM owned_total WHERE kind = 'batch'");
  EXPECT_NE(follower.books().imbalance_minor, 0);
}

TEST_F(audit_books, a_notice_that_nobody_was_told_shows) {
  w.live();
  w.redeem(9, 25);
  // As if the vendor had taken another message in place of the one with the money.
  w.apply(w.vendor, w.batch);
  w.sql("UPDATE owned_total SET amount_minor = amount_minor - 25 WHERE kind = 'vendor'");
  const auto report = follower.books();
  EXPECT_EQ(report.imbalance_minor, 25);
  ASSERT_EQ(report.differences.size(), 1u);
  EXPECT_EQ(report.differences[0].owner, w.vendor);
}

TEST_F(audit_books, shards_may_be_folded_in_any_order_and_in_any_portions) {
  w.live();
  w.redeem(6, 5);
  const auto all = follower.books();
  for (std::uint32_t rows : {1u, 2u, 3u, 5u}) {
    w.sql(
        "UPDATE audit_watermark SET position = 0, transfers = 0, moved_minor = 0;"
        "DELETE FROM audit_sum; DELETE FROM audit_notice; DELETE FROM audit_applied");
    auto how = w.options();
    how.fold_rows = rows;
    pg_auditor slow{how};
    auto report = slow.books();
    EXPECT_FALSE(report.complete) << rows;
    EXPECT_EQ(report.imbalance_minor, 0); // says nothing before it has seen all
    while (!report.complete)
      report = slow.books();
    EXPECT_EQ(report.imbalance_minor, 0) << rows;
    EXPECT_EQ(report.transfers, all.transfers);
    EXPECT_EQ(report.moved_minor, all.moved_minor);
    EXPECT_EQ(w.count("audit_notice"), "2") << rows;
  }
}

TEST_F(audit_books, only_new_rows_are_read) {
  struct counting final : audit_probe {
    void rows_folded(std::uint64_t rows, std::uint64_t behind) override {
      last = rows;
      left = behind;
    }
    std::uint64_t last = 0, left = 0;
  } probe;
  auto how = w.options();
  how.probe = &probe;
  pg_auditor audit{how};
  w.live();
  audit.books();
  EXPECT_EQ(std::to_string(probe.last), w.count("journal"));
  w.redeem(6, 5);
  audit.books();
  EXPECT_EQ(probe.last, 1u);
  audit.books();
  EXPECT_EQ(probe.last, 0u);
  EXPECT_EQ(probe.left, 0u);
}

TEST_F(audit_books, a_recount_goes_by_accounts_and_so_checks_the_follower) {
  w.live();
  follower.books();
  const auto till = account_of(w.vendor, "vendor").str();
  w.sql("UPDATE transfer SET credit = '" + till + "' WHERE purpose = '" + w.list.str() +
        "' AND line = 2");
  EXPECT_EQ(follower.books().imbalance_minor, 0); // follows what the journal names
  const auto report = follower.recount();
  EXPECT_EQ(report.imbalance_minor, 2 * 102);
  EXPECT_EQ(report.differences.size(), 2u);
}

TEST_F(audit_books, money_on_an_account_that_nobody_owns_shows_in_a_recount) {
  w.live();
  w.sql("DELETE FROM account WHERE role = 'vendor'");
  const auto report = follower.recount();
  EXPECT_EQ(report.imbalance_minor, 2 * 110);
  EXPECT_EQ(report.differences.front().owner, entity_ref{});
}

TEST_F(audit_books, money_in_a_currency_that_its_account_does_not_have_shows_in_a_recount) {
  w.live();
  w.sql("UPDATE account SET currency = 'USD' WHERE role = 'vendor'");
  EXPECT_EQ(follower.recount().imbalance_minor, 2 * 110);
}

TEST_F(audit_books, a_journal_that_ends_before_the_watermark_is_an_error) {
  w.live();
  follower.books();
  const auto at = w.note(w.vendor);
  follower.books();
  w.sql("DELETE FROM journal WHERE shard = " + std::to_string(at.shard) +
        " AND position = " + std::to_string(at.position));
  w.sql("UPDATE shard SET head_position = head_position - 1 WHERE shard = " +
        std::to_string(at.shard));
  EXPECT_THROW(follower.books(), audit_error);
}

TEST_F(audit_books, two_auditors_do_not_count_twice) {
  pg_auditor other{w.options()};
  w.live();
  for (int i = 0; i < 10; ++i) {
    w.redeem(6, 5);
    w.apply(w.vendor, w.batch);
    std::thread both{[&] { EXPECT_EQ(other.books().imbalance_minor, 0); }};
    EXPECT_EQ(follower.books().imbalance_minor, 0);
    both.join();
  }
  expect_exact("after all");
}

/// Two nodes that both believe it is their turn, in the worst moment: both have read the same rows
/// above the same watermarks before either has written. One of them has to begin again.
TEST_F(audit_books, rows_that_two_have_read_at_once_are_folded_once) {
  w.live();
  w.apply(w.vendor, w.batch); // no notice is left, whose key would stop the second one by itself
  pg_auditor other{w.options()};
  pqxx::connection gate{w.database().admin};
  pqxx::work holds{gate};
  holds.exec("SELECT FROM audit_watermark FOR UPDATE"); // the last that a fold writes
  std::vector<std::thread> both;
  for (auto* one : {&follower, &other})
    both.emplace_back([one] { EXPECT_EQ(one->books().imbalance_minor, 0); });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto waiting = [&] {
    return w
        .sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'")[0][0]
        .as<int>();
  };
  while (waiting() < 2 && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  EXPECT_EQ(waiting(), 2) << "both stand before the watermarks, or one behind the other";
  holds.commit();
  for (auto& one : both)
    one.join();
  EXPECT_EQ(follower.books().imbalance_minor, 0);
  EXPECT_EQ(std::to_string(follower.books().transfers), w.count("transfer"));
  expect_exact("after both");
}

struct turns final : audit_probe {
  void books_compared(const books_report&) override { ++looks; }
  void follows(bool here) override { (here ? on : off)++; }
  std::atomic<int> looks{0}, on{0}, off{0};
};

TEST_F(audit_books, are_followed_only_while_it_is_this_nodes_turn) {
  turns seen;
  std::atomic<bool> mine{false};
  auto how = w.options();
  how.probe = &seen;
  how.fold_interval = std::chrono::milliseconds(5);
  how.recount_hour = -1;
  how.may_follow = [&] { return mine.load(); };
  w.live();
  pg_auditor audit{how};
  audit.start();
  ASSERT_TRUE(eventually([&] { return seen.off > 3; }));
  EXPECT_EQ(seen.looks, 0);
  EXPECT_EQ(w.count("audit_sum"), "0") << "nothing was folded";
  EXPECT_EQ(audit.books().imbalance_minor, 0) << "who asks is answered at any node";
  mine = true;
  EXPECT_TRUE(eventually([&] { return seen.looks > 3; }));
  mine = false;
  const auto before = seen.off.load();
  ASSERT_TRUE(eventually([&] { return seen.off > before; }));
  const auto looked = seen.looks.load();
  ASSERT_TRUE(eventually([&] { return seen.off > before + 3; }));
  EXPECT_EQ(seen.looks, looked);
}

} // namespace
