#include "persistence/audit/pg_auditor.hpp"

#include "tests/integration/audit/world.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

/// Beside writers, and over many pages.
namespace {

using namespace rahat;

TEST(audit_scale, everything_is_exact_beside_a_running_writer) {
  test::world w;
  w.live();
  auto how = w.options();
  pg_auditor audit{how};
  std::atomic<bool> stop{false};
  std::thread reader{[&] {
    pg_auditor other{how};
    while (!stop) {
      EXPECT_EQ(other.books().imbalance_minor, 0);
      EXPECT_EQ(other.recount().imbalance_minor, 0);
      other.sign_now();
      const auto report = other.verify({});
      EXPECT_TRUE(report.ok) << report.first_bad->what;
    }
  }};
  for (int i = 0; i < 400; ++i) {
    w.redeem(static_cast<std::uint32_t>(i % 40), 1);
    if (i % 3 != 0)
      w.apply(w.vendor, w.batch);
  }
  stop = true;
  reader.join();
  EXPECT_EQ(audit.books().imbalance_minor, 0);
  EXPECT_TRUE(audit.verify({}).ok);
}

std::uint32_t asked_for(const char* variable, std::uint32_t otherwise) {
  const char* asked = std::getenv(variable);
  return asked != nullptr ? static_cast<std::uint32_t>(std::atol(asked)) : otherwise;
}

/// RAHAT_AUDIT_LINES=1000000 and RAHAT_AUDIT_SINGLES=20000 measure; the figures stand in
/// docs/protocols/audit.md.
TEST(audit_scale, many_pages_of_rows_and_lines) {
  const auto lines = asked_for("RAHAT_AUDIT_LINES", 5'000);
  const auto singles = asked_for("RAHAT_AUDIT_SINGLES", 300);
  test::world w;
  w.fund(1'000'000'000'000'000, 1'000'000'000'000);
  w.apply(w.disbursement, w.project);
  w.lock(lines);
  for (std::uint32_t line = 0; line < lines; line += 1'000) {
    w.pay(line, std::min(1'000u, lines - line));
    w.apply(w.batch, w.disbursement);
    for (int i = 0; i < 8; ++i)
      w.note(w.vendor);
  }
  for (std::uint32_t i = 0; i < singles; ++i)
    w.redeem(i % lines, 1);
  w.sql("ANALYZE");
  pg_auditor audit{w.options()};
  audit.sign_now();
  const auto began = std::chrono::steady_clock::now();
  const auto books = audit.books();
  const auto followed = std::chrono::steady_clock::now();
  const auto report = audit.verify({});
  const auto verified = std::chrono::steady_clock::now();
  const auto again = audit.recount();
  const auto counted = std::chrono::steady_clock::now();
  EXPECT_EQ(books.imbalance_minor, 0);
  EXPECT_TRUE(report.ok) << report.first_bad->what;
  EXPECT_EQ(report.transfers, lines + singles + 2);
  EXPECT_EQ(again.transfers, lines + singles + 2);
  EXPECT_EQ(again.imbalance_minor, 0);
  auto ms = [](auto from, auto to) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
  };
  RecordProperty("follow_ms", ms(began, followed));
  RecordProperty("verify_ms", ms(followed, verified));
  RecordProperty("recount_ms", ms(verified, counted));
  RecordProperty("rows", std::to_string(report.rows));
  std::printf("%u lines, %u singles, %lu rows: follow %s ms, verify %s ms, recount %s ms\n", lines,
              singles, static_cast<unsigned long>(report.rows), ms(began, followed).c_str(),
              ms(followed, verified).c_str(), ms(verified, counted).c_str());
}

} // namespace
