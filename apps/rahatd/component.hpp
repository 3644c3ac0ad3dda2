#pragma once

#include "supervision/supervisor.hpp"

#include <functional>
#include <string>

namespace rahat {

/// A part of the node as a supervised actor: `start` when the actor comes up (an exception counts
/// as a failed start), `stop` when it goes down, whatever the reason.
child_spec component(std::string name, std::function<void()> start, std::function<void()> stop);

/// An actor that calls `beat` from CAF's own threads every `every`: it stops when the scheduler is
/// stuck, and with it the node's lease.
child_spec heartbeat(std::string name, std::chrono::milliseconds every, std::function<void()> beat);

} // namespace rahat
