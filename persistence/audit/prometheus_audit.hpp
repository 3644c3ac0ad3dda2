#pragma once

#include "persistence/audit/probe.hpp"

#include <prometheus/collectable.h>
#include <atomic>
#include <cstdint>
#include <vector>

namespace rahat {

/// The auditor's metrics for Prometheus; register it with the exposer or a registry's owner.
/// Thread-safe. Catalogue: docs/protocols/audit.md.
class prometheus_audit final : public audit_probe, public prometheus::Collectable {
public:
  void books_compared(const books_report& report) override;
  void follows(bool here) override;
  void recounted(const books_report& report) override;
  void rows_folded(std::uint64_t rows, std::uint64_t behind) override;
  void verified(const verify_report& report) override;
  void heads_signed(std::uint64_t heads, std::int64_t at_us) override;
  void pass_failed() override;

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  std::atomic<bool> follows_{true}; // false: what another node does now is not shown here
  // Read and written one by one: a scrape may see one look's imbalance and another's owners.
  std::atomic<std::int64_t> imbalance_{0};
  std::atomic<std::int64_t> recount_imbalance_{0};
  std::atomic<std::uint64_t> owners_{0};
  std::atomic<std::uint64_t> transfers_{0};
  std::atomic<std::int64_t> compared_us_{0};
  std::atomic<std::int64_t> recounted_us_{0};
  std::atomic<std::uint64_t> folded_{0};
  std::atomic<std::uint64_t> behind_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::int64_t> signed_us_{0};
  std::atomic<std::uint64_t> heads_{0};
  std::atomic<int> verified_{-1}; // -1: never, 0: something is wrong, 1: valid
  std::atomic<double> verify_seconds_{0};
};

} // namespace rahat
