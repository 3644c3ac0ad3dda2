#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace rahat {

/// An event of a committed decision, on its way to the live hub.
struct live_event {
  entity_ref entity;
  std::uint64_t seq = 0;
  shard_id shard = 0;
  std::uint64_t position = 0;
  std::string type;
  std::int64_t at_us = 0;
  uuid project;
  std::shared_ptr<const std::string> view;
};

} // namespace rahat
