#pragma once

#include "gateways/rest/entity_resource.hpp"

namespace rahat::rest {

/// GET /v2/settlements/{id}/statement: the receipts that the settlement pays for, newest first.
/// They are the vendor's receipts of this project and currency whose numbers lie between the
/// settlement's first and last.
http::route statement_route(const entity_resource& settlements);

/// JSON Schema of a receipt.
std::string receipt_schema();

/// Pages of the vendor's receipts that one request may look through; at that bound it answers with
/// what it has found and a cursor to go on from.
inline constexpr int max_statement_pages = 25;

} // namespace rahat::rest
