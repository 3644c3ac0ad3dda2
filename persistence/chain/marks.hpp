#pragma once

#include "runtime/ports/store.hpp"
#include "runtime/wire/wire.pb.h"

#include <string>
#include <string_view>

/// Transfer marks: how a commit's payload, and with it the chain, names the transfers that the
/// commit made. Pure, thread-safe.
namespace rahat::chain {

/// The mark of one explicit transfer: line 0, count 1, the digest of its single row.
wire::TransferMark mark_of(const transfer& t);

/// The mark of a chunk of a pay list, as it was approved.
wire::TransferMark mark_of(const line_payment& p);

/// Appends the marks of the decision's transfers and payments to the payload, in this order:
/// payments, then transfers. The host calls it once for each commit.
void add_marks(wire::Commit& payload, const std::vector<transfer>& transfers,
               const std::vector<line_payment>& payments);

/// Empty if the payload's marks are exactly those of the commit's payments and transfers, in the
/// order of `add_marks`; otherwise what is wrong. A writer refuses a commit whose money its chain
/// would not cover (R16).
std::string marks_fault(const commit& c);

} // namespace rahat::chain
