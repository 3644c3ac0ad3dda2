#pragma once

#include "persistence/cluster/line.hpp"
#include "runtime/ports/membership_store.hpp"

#include <string_view>

namespace rahat::pg {

/// View, members, votes and shards as of one snapshot, and the server's clock; $1 is the generation
/// that the shards' rows are compared with. One prepared statement, one round trip: it runs 4 times
/// a second on every node.
extern const char* const reading_sql;

/// The rows of reading_sql. `drain` is of the row of `self`. Throws line_refused when the view's
/// row is missing or a shard's.
cluster_reading reading_of(const line_rows& rows, const uuid& self);

/// The word of the table: `active` is "up" there.
const char* status_word(cluster::member_status status);

} // namespace rahat::pg
