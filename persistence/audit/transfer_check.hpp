#pragma once

#include "persistence/audit/tally.hpp"
#include "runtime/ports/audit.hpp"

#include <optional>
#include <pqxx/pqxx>
#include <vector>

namespace rahat::audit {

/// Prepares what the functions below run; once a connection.
void prepare_transfer_check(pqxx::connection_base& c);

/// Compares what rows of the journal name with the rows of `transfer`: count, sum, debit, currency,
/// place, and the digest over line, credit account and amount. The server adds up and hashes.
std::optional<audit_finding> check_named(pqxx::transaction_base& work,
                                         const std::vector<named_transfers>& named);

/// After all chains: no transfer exists that no row names.
std::optional<audit_finding> check_unnamed(pqxx::transaction_base& work, const tally& seen);

} // namespace rahat::audit
