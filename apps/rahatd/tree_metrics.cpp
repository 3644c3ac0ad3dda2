#include "apps/rahatd/tree_metrics.hpp"

#include <prometheus/metric_family.h>

namespace rahat {

std::vector<prometheus::MetricFamily> tree_metrics::Collect() const {
  prometheus::MetricFamily restarts{"rahat_supervisor_restarts_total",
                                    "Restarts of a child in the supervision tree.",
                                    prometheus::MetricType::Counter,
                                    {}};
  for (auto& node : tree_.nodes()) {
    auto& metric = restarts.metric.emplace_back();
    metric.label.push_back({"child", node.path});
    metric.counter.value = node.restarts;
  }
  return {std::move(restarts)};
}

} // namespace rahat
