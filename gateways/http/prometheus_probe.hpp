#pragma once

#include "gateways/http/probe.hpp"

#include <prometheus/collectable.h>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::http {

/// The edge's metrics for Prometheus: http_server_request_duration_seconds{route,method,code},
/// http_server_active_requests, http_server_connections, http_server_limit_hits_total{limit},
/// http_server_io_faults_total.
///
/// prometheus-cpp's own histogram takes a mutex for each observation; here an observation is a
/// lookup without a lock and two relaxed additions. Thread-safe. Bounded: beyond `max_series`
/// combinations of labels, observations are counted under route="other".
class prometheus_probe : public probe, public prometheus::Collectable {
public:
  static constexpr std::size_t max_series = 4096;

  /// `listener` becomes a label of every series, e.g. "public".
  explicit prometheus_probe(std::string listener);
  ~prometheus_probe() override;

  void request_finished(std::string_view route, method verb, unsigned status,
                        double seconds) override;
  void connection_opened() override { connections_.fetch_add(1, std::memory_order_relaxed); }
  void connection_closed() override { connections_.fetch_sub(1, std::memory_order_relaxed); }
  void request_started() override { active_.fetch_add(1, std::memory_order_relaxed); }
  void limit_hit(limit what) override {
    limits_[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
  }

  void io_fault() override { faults_.fetch_add(1, std::memory_order_relaxed); }

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  struct series;
  static constexpr std::size_t limit_count = 9;
  static constexpr std::size_t slots = max_series * 2;

  series& series_of(std::string_view route, method verb, unsigned status);
  series* add(std::size_t at, std::string_view route, method verb, unsigned status);

  const std::string listener_;
  std::unique_ptr<std::atomic<series*>[]> table_; // open addressing; entries are never taken out
  mutable std::mutex adding_;
  std::vector<std::unique_ptr<series>> all_; // guarded by adding_
  std::unique_ptr<series> other_;
  std::atomic<std::int64_t> connections_{0};
  std::atomic<std::int64_t> active_{0};
  std::array<std::atomic<std::uint64_t>, limit_count> limits_{};
  std::atomic<std::uint64_t> faults_{0};
};

} // namespace rahat::http
