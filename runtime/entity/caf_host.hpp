#pragma once

#include "runtime/entity/region.hpp"

namespace caf {
class actor_system;
}

namespace rahat {

/// Runs each host as one CAF actor of the system: its mailbox is the host's, its messages are
/// `mail`. The actor ends with its host; mail that is still in its mailbox then answers for itself
/// (see answer_slot and inbox_credit).
host_spawner caf_host_spawner(caf::actor_system& system);

} // namespace rahat
