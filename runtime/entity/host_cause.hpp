#pragma once

#include "runtime/entity/host.hpp"

namespace rahat {

/// What a decision answers to; all empty: the entity's own work.
struct host::cause {
  mail_request* request = nullptr;
  mail_told* told = nullptr;
  std::int64_t told_at_us = 0;
  const std::string* timer = nullptr;
};

} // namespace rahat
