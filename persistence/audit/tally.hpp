#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/audit.hpp"
#include "runtime/wire/wire.pb.h"

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

namespace rahat::audit {

/// What one run of the check has seen so far.
struct tally {
  std::uint64_t rows = 0;
  std::uint64_t transfers = 0;
  std::array<std::uint64_t, shard_count> named{};   // transfers that the rows of a shard name
  std::function<void(std::uint64_t rows)> progress; // may be empty
};

/// Transfers that a journal row says it has made.
struct named_transfers {
  shard_id shard = 0;
  std::uint64_t position = 0;
  entity_ref entity;
  std::string type;
  wire::TransferMark mark;
};

} // namespace rahat::audit
