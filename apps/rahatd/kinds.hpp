#pragma once

#include "runtime/entity/region.hpp"

#include <set>
#include <string>

namespace rahat {

/// Registers every aid kind: one line each, the only place that knows them all.
kind_registry all_kinds();

/// Event types that report progress of long work; the live hub coalesces them.
std::set<std::string> progress_types();

} // namespace rahat
