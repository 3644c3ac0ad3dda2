#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace rahat::cluster {

/// Tries whether anybody listens there: resolves, connects, and closes again. Nothing if somebody
/// does, else why not. Blocks for `limit` at most, and for the resolver: it belongs on a thread of
/// its own. CAF's own connect() to a host that swallows packets would block all of its dials for
/// two minutes.
std::optional<std::string> preflight(const std::string& host, std::uint16_t port,
                                     std::chrono::milliseconds limit);

} // namespace rahat::cluster
