#pragma once

#include "runtime/cluster/driving/mover.hpp"
#include "runtime/cluster/driving/pilot.hpp"
#include "runtime/cluster/routing/router_probe.hpp"
#include "runtime/cluster/transport/mesh_probe.hpp"

#include <memory>

namespace prometheus {
class Registry;
}

namespace rahat {

/// What the cluster's parts count, on one registry; see docs/metrics.md. Thread-safe.
class cluster_metrics {
public:
  explicit cluster_metrics(prometheus::Registry& registry);
  ~cluster_metrics();

  cluster::pilot_probe& membership();
  cluster::mover_probe& moves();
  cluster::router_probe& routes();
  cluster::mesh_probe& links();

  /// Gauges that are read off now and then.
  void members(std::size_t active, std::size_t running, std::int64_t view_version);
  void reading_age(double seconds);
  void shards(std::size_t open, std::size_t moving, std::size_t unowned);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat
