#pragma once

#include "persistence/postgres/probe.hpp"

#include <memory>

namespace prometheus {
class Registry;
}

namespace rahat {

/// Counts commits, reads and housekeeping of the store; see docs/metrics.md.
std::unique_ptr<pg::store_probe> make_store_metrics(prometheus::Registry& registry,
                                                    unsigned writers);

} // namespace rahat
