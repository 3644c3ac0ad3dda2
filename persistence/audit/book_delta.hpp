#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace rahat::audit {

/// Whose money, in which currency.
struct purse {
  entity_ref owner;
  std::string currency;

  auto operator<=>(const purse&) const = default;
};

/// Messages of one entity to another are numbered densely.
struct lane {
  entity_ref source;
  entity_ref target;

  auto operator<=>(const lane&) const = default;
};

struct money {
  std::string currency;
  std::int64_t amount_minor = 0;
};

/// Adds; throws audit_error instead of overflowing.
std::int64_t add_minor(std::int64_t a, std::int64_t b);

/// What a stretch of the journal did to the books: pure, built row by row, in any order of shards.
/// Throws audit_error for a payload that cannot be read.
///
/// A transfer counts for both owners at once. Its notice is the message that its commit numbered
/// for the credited owner: the k-th transfer mark that names an owner goes with the k-th outbox
/// mark for that owner, because a host numbers the notices of transfers before any other message,
/// and a chunk of a pay list is told by the first message to its batch. A transfer between accounts
/// of one owner has no notice.
class book_delta {
public:
  /// Transfers that one row made.
  struct made {
    std::uint64_t count = 0;
    std::int64_t sum_minor = 0;
  };

  made add(const journal_row& row);

  /// Drops notices whose lane has applied them, also by rows that were folded before; `applied`
  /// gives the last number that a lane is known to have applied, 0 for none.
  void settle(const std::map<lane, std::uint64_t>& applied);

  const std::map<purse, std::int64_t>& sums() const { return sums_; }
  const std::map<lane, std::map<std::uint64_t, money>>& told() const { return told_; }
  const std::map<lane, std::uint64_t>& applied() const { return applied_; }
  std::uint64_t rows() const { return rows_; }

private:
  std::map<purse, std::int64_t> sums_;
  std::map<lane, std::map<std::uint64_t, money>> told_;
  std::map<lane, std::uint64_t> applied_;
  std::uint64_t rows_ = 0;
};

} // namespace rahat::audit
