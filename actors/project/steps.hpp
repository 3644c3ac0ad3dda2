#pragma once

#include "actors/project/project.hpp"
#include "actors/shared/askers.hpp"

#include <algorithm>

/// What the parts of the project decider share. Nobody else includes this.
namespace rahat::projecting {

/// The reservation of that disbursement, else the end.
template <class List>
auto reservation_of(List& reservations, const wire::Entity& disbursement) {
  return std::find_if(reservations.begin(), reservations.end(),
                      [&](auto& r) { return same(r.disbursement(), disbursement); });
}

} // namespace rahat::projecting
