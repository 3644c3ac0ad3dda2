#pragma once

#include "runtime/ports/queries.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rahat::memory {

/// Where a page of a list ends: the sort key of its last item.
struct list_place {
  std::int64_t created_us = 0;
  uuid id;
};

/// The opaque form: lower-case hexadecimal of created_us, id and a digest of the list's filters, so
/// that a cursor of another list is recognised.
std::string cursor_of(const list_query& q, const list_place& last);

/// Nothing if the cursor was not made for this list.
std::optional<list_place> place_of(const list_query& q);

} // namespace rahat::memory
