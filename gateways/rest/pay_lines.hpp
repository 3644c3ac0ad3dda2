#pragma once

#include "gateways/rest/entity_resource.hpp"

namespace rahat::rest {

/// GET /v2/disbursements/{id}/lines: the pay list, a page at a time. A line's row is never updated;
/// its state follows from where its chunk stands, which the disbursement's view tells:
///
///   pending    its chunk is not decided yet
///   posted     the transfer is on the books, the wallet does not know yet
///   paid       the wallet has it
///   cancelled  never decided, and the disbursement has ended
http::route pay_lines_route(const entity_resource& disbursements);

} // namespace rahat::rest
