#pragma once

#include "persistence/audit/options.hpp"
#include "runtime/ports/audit.hpp"

#include <functional>

namespace rahat::audit {

/// The whole check on a connection of its own, in one snapshot, beside running writers. Throws
/// audit_error and pqxx's errors. The order: each shard's chain with the transfers that it names,
/// rows outside the chains, the entities' numbers, transfers that nobody names, signed heads.
verify_report verify(const audit_options& how, const clock& time,
                     std::function<void(std::uint64_t rows)> progress);

} // namespace rahat::audit
