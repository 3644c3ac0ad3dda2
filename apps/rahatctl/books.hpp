#pragma once

#include "apps/rahatctl/client.hpp"

#include <boost/json/value.hpp>

namespace rahat::ctl {

/// Asks a node's internal listener for its books until they are complete: one look of the auditor
/// reads a bounded part of the journal and claims nothing before it has come to the end. The last
/// answer: complete, or not so after `limit`, or a refusal, or none at all. With `recount` every
/// transfer is counted anew, which is one long answer.
answer ask_books(client& node, bool recount, std::chrono::seconds limit);

/// They were compared up to the heads; without it an imbalance of 0 says nothing.
bool are_complete(const boost::json::value& books);

} // namespace rahat::ctl
