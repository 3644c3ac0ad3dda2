#pragma once

#include "runtime/ports/entities.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <optional>

/// Two things that a host says to clients without its state.
namespace rahat {

/// Answers with what the store holds. Replies are stored before their commit has a position: it is
/// looked up by the version that the reply names. Touches no host, which may be gone by then; any
/// thread, `done` is called once.
void answer_with(wire::Reply stored, const entity_ref& self, store& db,
                 entities::reply_callback done);

/// What the client expects of the version, if that does not hold (RFC 9110 13.1). `version` is 0
/// when there is nothing that clients see.
std::optional<error> unmet(const request& ask, std::uint64_t version);

} // namespace rahat
