#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/ports/entities.hpp"
#include "runtime/wire/cluster.pb.h"

namespace rahat::cluster {

// Between the ports' types and the frames of runtime/wire/cluster.proto.

wire::Entity to_wire(const entity_ref& e);
entity_ref from_wire(const wire::Entity& e);

/// `now` is the sender's clock: the deadline travels as the time that is left.
wire::Ask to_wire(const request& r, std::chrono::steady_clock::time_point now);

/// The time that a peer says is left, by the receiver's clock. An hour at most: no client waits
/// longer, and a number that nobody meant must not overflow.
std::chrono::steady_clock::time_point deadline_of(std::int64_t left_us,
                                                  std::chrono::steady_clock::time_point now);

/// `now` is the receiver's clock.
request from_wire(const wire::Ask& ask, std::chrono::steady_clock::time_point now);

wire::Refusal to_wire(const error& e);

/// A code that this build does not know becomes `internal`.
error from_wire(const wire::Refusal& r);

} // namespace rahat::cluster
