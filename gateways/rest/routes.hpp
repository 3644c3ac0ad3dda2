#pragma once

#include "gateways/http/handler.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/entities.hpp"
#include "runtime/ports/queries.hpp"
#include "runtime/trust/sealer.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace rahat::rest {

struct upload_limits {
  std::uint64_t max_bytes = 1024ULL * 1024 * 1024; // upload.max_bytes
  std::uint32_t max_rows = 1'000'000;              // upload.max_rows
};

/// What the resources need of the node. Everything in it is thread-safe and outlives the server.
struct rest_context {
  rahat::entities& entities;
  rahat::queries& queries;
  const clock& time;
  const sealer& trust;

  /// Calls `then` once, after at least `delay`, from any thread; for retries of busy entities.
  std::function<void(std::chrono::milliseconds delay, std::function<void()> then)> after;
  upload_limits uploads;
};

/// All /v2 resources as one table; the order is that of the documentation.
http::route_table make_routes(const rest_context& context);

/// How long a step of a streamed upload may wait for its entity before the client is told 503.
inline constexpr std::chrono::seconds step_timeout{25};

} // namespace rahat::rest
