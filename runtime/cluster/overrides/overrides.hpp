#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace caf {
class actor_system;
}

/// What this executable defines in the place of CAF's and OpenSSL's own functions. It works only in
/// an executable that links the CMake target `rahat_caf_overrides` and OpenSSL as a shared library;
/// a node that forms a cluster calls `overrides_fault` after it made its actor system.
namespace rahat {

/// Names this process to other nodes: CAF's node id becomes uuid (16 bytes), the low 32 bits of the
/// incarnation and 32 random bits, those last ones because a restored database may give an
/// incarnation again. CAF's own id is a hash of network addresses and the process id, which two
/// containers share. To be called before the actor system is made, once a process; from any thread.
/// Throws std::logic_error for the nil uuid.
void set_node_identity(const uuid& node, std::uint64_t incarnation);

/// The system's node id is the one of `set_node_identity`. False as well when that was never called
/// (the id is random then) or came too late.
bool node_id_is_ours(caf::actor_system& system);

/// CAF's calls of SSL_read, SSL_write, SSL_connect and SSL_accept reach the guarded ones, which
/// empty OpenSSL's error queue first. CAF reads SSL_get_error() without doing so: the end of one
/// TLS link would then end healthy links as well.
bool tls_calls_are_guarded();

/// A sentence that says what is not in place, nothing if all is.
std::optional<std::string> overrides_fault(caf::actor_system& system);

} // namespace rahat
