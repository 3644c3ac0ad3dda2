#pragma once

#include "persistence/postgres/probe.hpp"
#include "runtime/entity/probe.hpp"

#include <memory>
#include <string>

namespace prometheus {
class Collectable;
class Registry;
} // namespace prometheus

namespace rahat {

/// Everything the node measures, as one Prometheus page. Thread-safe.
class measures {
public:
  explicit measures(unsigned writers);
  ~measures();

  entity_probe& entities();
  pg::store_probe& store();
  prometheus::Registry& registry();

  /// Adds a source that keeps its own numbers; it must be removed before it goes.
  void add(prometheus::Collectable& source);
  void remove(prometheus::Collectable& source);

  /// The text of GET /metrics.
  std::string text() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat
