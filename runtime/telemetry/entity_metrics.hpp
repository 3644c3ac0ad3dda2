#pragma once

#include "runtime/entity/probe.hpp"

#include <memory>

namespace prometheus {
class Registry;
}

namespace rahat {

/// Counts hosts, mail, turns and money in the registry; see docs/metrics.md for the catalogue.
/// The registry must live longer.
std::unique_ptr<entity_probe> make_entity_metrics(prometheus::Registry& registry);

} // namespace rahat
