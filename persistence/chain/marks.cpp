#include "persistence/chain/marks.hpp"

#include "persistence/chain/mark_scan.hpp"

namespace rahat::chain {

namespace {

void assign_owner(wire::TransferMark& mark, const entity_ref& owner) {
  mark.mutable_credit_owner()->set_kind(owner.kind);
  mark.mutable_credit_owner()->set_id(owner.id.raw());
}

/// No maps and no unknown fields on our side: equal messages have equal bytes.
bool same(const wire::TransferMark& a, const wire::TransferMark& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

} // namespace

wire::TransferMark mark_of(const transfer& t) {
  wire::TransferMark mark;
  mark.set_purpose(t.purpose.raw());
  mark.set_debit_account(t.debit.raw());
  mark.set_currency(t.currency);
  mark.set_count(1);
  mark.set_sum_minor(t.amount_minor);
  line_row row;
  row.wallet = t.credit;
  row.amount_minor = t.amount_minor;
  mark.set_digest(std::string{view(digest_of({row}))});
  assign_owner(mark, t.credit_owner);
  return mark;
}

wire::TransferMark mark_of(const line_payment& p) {
  wire::TransferMark mark;
  mark.set_purpose(p.disbursement.raw());
  mark.set_debit_account(p.debit.raw());
  mark.set_currency(p.currency);
  mark.set_first_line(p.first);
  mark.set_last_line(p.last);
  mark.set_count(p.count);
  mark.set_sum_minor(p.sum_minor);
  mark.set_digest(std::string{view(p.lines_digest)});
  assign_owner(mark, p.credit_owner);
  return mark;
}

void add_marks(wire::Commit& payload, const std::vector<transfer>& transfers,
               const std::vector<line_payment>& payments) {
  for (auto& p : payments)
    *payload.add_transfers() = mark_of(p);
  for (auto& t : transfers)
    *payload.add_transfers() = mark_of(t);
}

std::string marks_fault(const commit& c) {
  mark_scan scan{c.payload};
  wire::TransferMark mark;
  for (auto& p : c.payments)
    if (!scan.next(mark) || !same(mark, mark_of(p)))
      return "the payload does not name the paid lines " + std::to_string(p.first) + " to " +
             std::to_string(p.last) + " of " + p.disbursement.str();
  for (auto& t : c.transfers)
    if (!scan.next(mark) || !same(mark, mark_of(t)))
      return "the payload does not name the transfer " + t.purpose.str();
  if (scan.next(mark))
    return "the payload names transfers that the commit does not make";
  return {};
}

} // namespace rahat::chain
