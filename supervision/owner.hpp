#pragma once

#include "runtime/ports/part.hpp"
#include "supervision/supervisor.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace rahat {

/// The actor that owns a part of the node: starts it, goes down with the reason when the part dies,
/// and stops the part when it goes down itself, whatever the reason.
child_spec owner_of(part what);

/// An actor that calls `beat` on the scheduler's own threads every `every`: it stops when the
/// scheduler is stuck, and with it the node's lease.
child_spec heartbeat(std::string name, std::chrono::milliseconds every, std::function<void()> beat);

} // namespace rahat
