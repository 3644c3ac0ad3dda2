#pragma once

#include "gateways/rest/entity_resource.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace rahat::rest {

/// GET /v2/batches/{id}/members: households with their personal fields, opened for this one reply.
/// The role `reader` sees them masked. An erased person shows none.
http::route members_route(const entity_resource& batches);

/// The staged rows behind a batch's members: ordinals [first, last] without `excluded` (ascending).
/// Returns those of the members [from, from + limit), in order of member.
std::vector<std::uint32_t> member_ordinals(std::int64_t first, std::int64_t last,
                                           const std::vector<std::int64_t>& excluded,
                                           std::int64_t from, std::uint32_t limit);

/// What a reader sees of a sealed document: enough to tell two households apart on the phone, not
/// enough to know who they are.
std::string masked(std::string_view person_json);

} // namespace rahat::rest
