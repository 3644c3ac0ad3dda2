#include "persistence/audit/prometheus_audit.hpp"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <map>
#include <string>

namespace {

using namespace rahat;

std::map<std::string, double> scrape(const prometheus_audit& metrics) {
  std::map<std::string, double> out;
  for (auto& f : metrics.Collect()) {
    EXPECT_FALSE(f.help.empty()) << f.name;
    out[f.name] = f.type == prometheus::MetricType::Counter ? f.metric.at(0).counter.value
                                                            : f.metric.at(0).gauge.value;
  }
  return out;
}

TEST(audit_metrics, the_last_complete_comparison_stands) {
  prometheus_audit metrics;
  EXPECT_EQ(scrape(metrics).at("rahat_books_imbalance_minor_units"), 0);
  books_report report;
  report.complete = true;
  report.imbalance_minor = 7;
  report.owners = 3;
  metrics.books_compared(report);
  report = {};
  report.transfers = 12;
  metrics.books_compared(report); // has not reached the heads
  const auto now = scrape(metrics);
  EXPECT_EQ(now.at("rahat_books_imbalance_minor_units"), 7);
  EXPECT_EQ(now.at("rahat_books_owners"), 3);
  EXPECT_EQ(now.at("rahat_books_transfers"), 12);
}

TEST(audit_metrics, nothing_is_claimed_before_it_was_looked_at) {
  prometheus_audit metrics;
  EXPECT_FALSE(scrape(metrics).contains("rahat_audit_chain_valid"));
  EXPECT_FALSE(scrape(metrics).contains("rahat_books_recount_imbalance_minor_units"));
  verify_report report;
  metrics.verified(report);
  EXPECT_EQ(scrape(metrics).at("rahat_audit_chain_valid"), 0);
  report.ok = true;
  metrics.verified(report);
  EXPECT_EQ(scrape(metrics).at("rahat_audit_chain_valid"), 1);
}

TEST(audit_metrics, who_does_not_follow_claims_nothing_of_the_books) {
  prometheus_audit metrics;
  books_report report;
  report.complete = true;
  report.imbalance_minor = 7;
  metrics.follows(true);
  metrics.books_compared(report);
  metrics.follows(false); // another node goes on, and mends it maybe
  for (auto& [name, value] : scrape(metrics))
    EXPECT_FALSE(name.starts_with("rahat_books_")) << name;
  EXPECT_FALSE(scrape(metrics).contains("rahat_audit_rows_behind"));
  EXPECT_TRUE(scrape(metrics).contains("rahat_audit_signed_timestamp_seconds"));
  metrics.follows(true);
  EXPECT_EQ(scrape(metrics).at("rahat_books_imbalance_minor_units"), 7);
}

TEST(audit_metrics, events_are_counted) {
  prometheus_audit metrics;
  metrics.rows_folded(5, 2);
  metrics.rows_folded(2, 0);
  metrics.heads_signed(3, 5'000'000);
  metrics.pass_failed();
  const auto now = scrape(metrics);
  EXPECT_EQ(now.at("rahat_audit_rows_folded_total"), 7);
  EXPECT_EQ(now.at("rahat_audit_rows_behind"), 0);
  EXPECT_EQ(now.at("rahat_audit_heads_signed_total"), 3);
  EXPECT_EQ(now.at("rahat_audit_signed_timestamp_seconds"), 5);
  EXPECT_EQ(now.at("rahat_audit_passes_failed_total"), 1);
}

} // namespace
