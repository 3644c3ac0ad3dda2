#pragma once

#include "gateways/live/probe.hpp"

#include <prometheus/collectable.h>
#include <atomic>
#include <cstdint>
#include <vector>

namespace rahat::live {

/// The WebSocket edge's metrics for Prometheus: rahat_ws_connections, rahat_ws_send_queue_messages,
/// rahat_ws_resumes_total, rahat_ws_slow_consumers_total. Thread-safe, without a lock.
class prometheus_live final : public live_probe, public prometheus::Collectable {
public:
  void connected() override { connections_.fetch_add(1, std::memory_order_relaxed); }
  void disconnected() override { connections_.fetch_sub(1, std::memory_order_relaxed); }
  void queued() override { queued_.fetch_add(1, std::memory_order_relaxed); }
  void unqueued(std::size_t frames) override {
    queued_.fetch_sub(static_cast<std::int64_t>(frames), std::memory_order_relaxed);
  }
  void resumed() override { resumes_.fetch_add(1, std::memory_order_relaxed); }
  void slow_consumer() override { slow_.fetch_add(1, std::memory_order_relaxed); }

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  std::atomic<std::int64_t> connections_{0};
  std::atomic<std::int64_t> queued_{0};
  std::atomic<std::int64_t> resumes_{0};
  std::atomic<std::int64_t> slow_{0};
};

} // namespace rahat::live
