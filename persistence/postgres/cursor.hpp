#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/queries.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rahat::pg {

/// Where a page of a list ended: lists are ordered by (created_us, id).
struct list_place {
  std::int64_t created_us = 0;
  uuid id;
  bool operator==(const list_place&) const = default;
};

/// 40 characters of base64url: the place and a digest of the list's filters. Opaque to clients.
std::string to_cursor(const list_query& list, const list_place& place);

/// The place in `list.cursor`. Nothing if that was not made by `to_cursor` for the same filters.
std::optional<list_place> from_cursor(const list_query& list);

} // namespace rahat::pg
