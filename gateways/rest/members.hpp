#pragma once

#include "actors/batch/batch.pb.h"
#include "gateways/rest/entity_resource.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rahat::rest {

/// GET /v2/batches/{id}/members: households with the balances of their wallets, as the batch has
/// committed them, and with their personal fields, opened for this one reply. The role `reader`
/// sees them masked. An erased person shows none.
http::route members_route(const entity_resource& batches);

/// GET /v2/batches/{id}/members/{member}: one of them.
http::route member_route(const entity_resource& batches);

/// The batch's answer on its way to these routes: a column a field, in order of index. Clients
/// never see it.
std::string member_list_json(const pb::MemberList& list);

/// What a reader sees of a sealed document: enough to tell two households apart on the phone, not
/// enough to know who they are.
std::string masked(std::string_view person_json);

} // namespace rahat::rest
