#pragma once

#include "supervision/tree.hpp"

#include <prometheus/collectable.h>
#include <vector>

namespace rahat {

/// rahat_supervisor_restarts_total{child} of every place in the tree. Thread-safe.
class tree_metrics final : public prometheus::Collectable {
public:
  explicit tree_metrics(const supervision_tree& tree) : tree_(tree) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

private:
  const supervision_tree& tree_;
};

} // namespace rahat
