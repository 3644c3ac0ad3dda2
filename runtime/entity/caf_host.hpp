#pragma once

#include "runtime/entity/region.hpp"

namespace caf {
class actor_system;
}

namespace rahat {

/// Runs each host as one CAF actor of the system: its mailbox is the host's, its messages are
/// `mail`. The actor ends with its host. Exceptions out of a host end the actor and are told to the
/// region as a failure by the host itself.
host_spawner caf_host_spawner(caf::actor_system& system);

} // namespace rahat
