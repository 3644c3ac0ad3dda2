#include "persistence/audit/book_delta.hpp"

#include "persistence/audit/errors.hpp"
#include "runtime/decider/account.hpp"
#include "runtime/wire/wire.pb.h"

#include <algorithm>

namespace rahat::audit {

namespace {

/// Gives each transfer mark the number of its notice: the next outbox mark for the same owner.
class notice_numbers {
public:
  explicit notice_numbers(const wire::Commit& c) : commit_(c) {}

  /// 0: nobody was told, and the books will say so for ever.
  std::uint64_t next(const entity_ref& owner) {
    auto& from = taken_[owner];
    while (from < commit_.outbox_size()) {
      const auto& mark = commit_.outbox(from++);
      if (ref_of(mark.target()) == owner)
        return mark.n();
    }
    return 0;
  }

private:
  const wire::Commit& commit_;
  std::map<entity_ref, int> taken_;
};

} // namespace

std::int64_t add_minor(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    throw audit_error{"the sum of an owner's transfers does not fit into 64 bits"};
  return sum;
}

book_delta::made book_delta::add(const journal_row& row) {
  wire::Commit c;
  if (!c.ParseFromString(row.payload))
    throw audit_error{"the journal row at shard " + std::to_string(row.shard) + " position " +
                      std::to_string(row.position) + " cannot be read: run" +
                      " `rahatctl audit verify`"};
  ++rows_;
  made out;
  notice_numbers notices{c};
  for (auto& mark : c.transfers()) {
    const auto owner = ref_of(mark.credit_owner());
    out.count += mark.count();
    out.sum_minor = add_minor(out.sum_minor, mark.sum_minor());
    auto& paid = sums_[{row.entity, mark.currency()}];
    paid = add_minor(paid, -mark.sum_minor());
    auto& got = sums_[{owner, mark.currency()}];
    got = add_minor(got, mark.sum_minor());
    if (owner == row.entity)
      continue;
    if (const auto n = notices.next(owner))
      told_[{row.entity, owner}][n] = {mark.currency(), mark.sum_minor()};
  }
  if (c.has_inbox()) {
    auto& n = applied_[{ref_of(c.inbox().source()), row.entity}];
    n = std::max(n, c.inbox().n());
  }
  return out;
}

void book_delta::settle(const std::map<lane, std::uint64_t>& applied) {
  for (auto at = told_.begin(); at != told_.end();) {
    std::uint64_t upto = 0;
    if (const auto found = applied.find(at->first); found != applied.end())
      upto = found->second;
    if (const auto found = applied_.find(at->first); found != applied_.end())
      upto = std::max(upto, found->second);
    auto& notices = at->second;
    notices.erase(notices.begin(), notices.upper_bound(upto));
    at = notices.empty() ? told_.erase(at) : std::next(at);
  }
}

} // namespace rahat::audit
