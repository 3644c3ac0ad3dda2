#pragma once

#include "persistence/audit/tally.hpp"
#include "runtime/ports/audit.hpp"

#include <optional>
#include <pqxx/pqxx>

namespace rahat::audit {

/// Prepares what the functions below run; once a connection.
void prepare_chain_check(pqxx::connection_base& c);

/// Recomputes the chain of one shard from its first row to its head, and with it the transfers
/// that its rows name. Memory: one page of rows. The first thing that is wrong, or nothing.
std::optional<audit_finding> check_chain(pqxx::transaction_base& work, shard_id shard, tally& seen);

/// Rows that stand where no shard's chain leads: other shards, positions below 1.
std::optional<audit_finding> check_strays(pqxx::transaction_base& work);

/// Each entity's commits are numbered 1, 2, 3, ... without a gap.
std::optional<audit_finding> check_seqs(pqxx::transaction_base& work);

} // namespace rahat::audit
