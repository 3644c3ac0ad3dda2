#include "gateways/live/prometheus_live.hpp"

#include <prometheus/metric_family.h>
#include <string>

namespace rahat::live {

namespace {

prometheus::MetricFamily one(std::string name, std::string help, prometheus::MetricType type,
                             const std::atomic<std::int64_t>& number) {
  prometheus::MetricFamily out{std::move(name), std::move(help), type, {}};
  auto& metric = out.metric.emplace_back();
  const auto value = static_cast<double>(number.load(std::memory_order_relaxed));
  if (type == prometheus::MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  return out;
}

} // namespace

std::vector<prometheus::MetricFamily> prometheus_live::Collect() const {
  using prometheus::MetricType;
  return {
      one("rahat_ws_connections", "Open WebSocket connections.", MetricType::Gauge, connections_),
      one("rahat_ws_send_queue_messages", "Frames that wait to be sent to clients.",
          MetricType::Gauge, queued_),
      one("rahat_ws_resumes_total", "Topics that clients came back to with a token.",
          MetricType::Counter, resumes_),
      one("rahat_ws_slow_consumers_total", "Clients closed because their queue was full.",
          MetricType::Counter, slow_)};
}

} // namespace rahat::live
