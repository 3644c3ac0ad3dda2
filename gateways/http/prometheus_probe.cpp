#include "gateways/http/prometheus_probe.hpp"

#include "gateways/http/router.hpp"

#include <prometheus/metric_family.h>
#include <functional>
#include <limits>

namespace rahat::http {

namespace {

/// Upper bounds in seconds: from a read out of memory to the reply deadline.
constexpr std::array bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                               0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};

prometheus::ClientMetric::Label label(std::string name, std::string value) {
  return {std::move(name), std::move(value)};
}

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type) {
  prometheus::MetricFamily out;
  out.name = std::move(name);
  out.help = std::move(help);
  out.type = type;
  return out;
}

} // namespace

struct prometheus_probe::series {
  std::string route;
  method verb = method::get;
  unsigned status = 0;
  std::array<std::atomic<std::uint64_t>, bounds.size() + 1> buckets{}; // not cumulative
  std::atomic<std::uint64_t> nanoseconds{0};

  bool is(std::string_view r, method v, unsigned s) const {
    return verb == v && status == s && route == r;
  }

  void observe(double seconds) {
    std::size_t i = 0;
    while (i < bounds.size() && seconds > bounds[i])
      ++i;
    buckets[i].fetch_add(1, std::memory_order_relaxed);
    nanoseconds.fetch_add(static_cast<std::uint64_t>(seconds * 1e9), std::memory_order_relaxed);
  }

  bool used() const { return nanoseconds.load(std::memory_order_relaxed) > 0; }

  prometheus::ClientMetric collect(const std::string& listener) const {
    prometheus::ClientMetric out;
    out.label = {label("listener", listener), label("route", route),
                 label("method", std::string(to_string(verb))),
                 label("code", std::to_string(status))};
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      count += buckets[i].load(std::memory_order_relaxed);
      auto bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
      out.histogram.bucket.push_back({count, bound});
    }
    out.histogram.sample_count = count;
    out.histogram.sample_sum =
        static_cast<double>(nanoseconds.load(std::memory_order_relaxed)) / 1e9;
    return out;
  }
};

prometheus_probe::prometheus_probe(std::string listener)
    : listener_(std::move(listener)),
      table_(std::make_unique<std::atomic<series*>[]>(slots)),
      other_(std::make_unique<series>()) {
  other_->route = "other";
}

prometheus_probe::~prometheus_probe() = default;

void prometheus_probe::request_finished(std::string_view route, method verb, unsigned status,
                                        double seconds) {
  active_.fetch_sub(1, std::memory_order_relaxed);
  series_of(route, verb, status).observe(seconds);
}

prometheus_probe::series& prometheus_probe::series_of(std::string_view route, method verb,
                                                      unsigned status) {
  auto at = std::hash<std::string_view>{}(route) + status * 31u + static_cast<std::size_t>(verb);
  for (at %= slots;; at = (at + 1) % slots) {
    auto* found = table_[at].load(std::memory_order_acquire);
    if (found == nullptr)
      found = add(at, route, verb, status);
    if (found == nullptr)
      return *other_;
    if (found->is(route, verb, status))
      return *found;
  }
}

/// Fills an empty slot; returns who is in it (another thread may have been quicker), or nullptr
/// when the table is as full as it may get.
prometheus_probe::series* prometheus_probe::add(std::size_t at, std::string_view route, method verb,
                                                unsigned status) {
  std::lock_guard lock(adding_);
  if (auto* there = table_[at].load(std::memory_order_acquire))
    return there;
  if (all_.size() == max_series)
    return nullptr;
  auto fresh = std::make_unique<series>();
  fresh->route = route;
  fresh->verb = verb;
  fresh->status = status;
  table_[at].store(fresh.get(), std::memory_order_release);
  return all_.emplace_back(std::move(fresh)).get();
}

std::vector<prometheus::MetricFamily> prometheus_probe::Collect() const {
  using prometheus::MetricType;
  auto durations = family("http_server_request_duration_seconds",
                          "Seconds from a request's complete header to its reply, by route.",
                          MetricType::Histogram);
  {
    std::lock_guard lock(adding_);
    for (auto& one : all_)
      durations.metric.push_back(one->collect(listener_));
    if (other_->used())
      durations.metric.push_back(other_->collect(listener_));
  }
  auto gauge = [this](std::string name, std::string help, std::int64_t value) {
    auto out = family(std::move(name), std::move(help), MetricType::Gauge);
    auto& metric = out.metric.emplace_back();
    metric.label = {label("listener", listener_)};
    metric.gauge.value = static_cast<double>(value);
    return out;
  };
  auto hits = family("http_server_limit_hits_total", "How often a bound of the edge was met.",
                     MetricType::Counter);
  for (std::size_t i = 0; i < limit_count; ++i) {
    auto& metric = hits.metric.emplace_back();
    metric.label = {label("listener", listener_),
                    label("limit", std::string(to_string(static_cast<limit>(i))))};
    metric.counter.value = static_cast<double>(limits_[i].load(std::memory_order_relaxed));
  }
  auto faults = family("http_server_io_faults_total",
                       "Exceptions that reached an io thread; each cost its connection.",
                       MetricType::Counter);
  auto& fault = faults.metric.emplace_back();
  fault.label = {label("listener", listener_)};
  fault.counter.value = static_cast<double>(faults_.load(std::memory_order_relaxed));
  return {std::move(durations),
          gauge("http_server_active_requests", "Requests that are being answered.", active_.load()),
          gauge("http_server_connections", "Open connections.", connections_.load()),
          std::move(hits), std::move(faults)};
}

} // namespace rahat::http
