#pragma once

#include "runtime/decider/account.hpp"
#include "runtime/decider/decision.hpp"

/// Money that came to an entity which does not wait for it: docs/protocols/credit.md.
namespace rahat {

/// Sends it back to its source in the same commit, or keeps it when it is a return itself. `Event`
/// is the kind's, with a case `stray_credit`.
template <class Event>
decision stray_credit(const wire::Credit& credit, const context& ctx) {
  Event happened;
  auto& stray = *happened.mutable_stray_credit();
  stray.set_purpose(credit.purpose());
  stray.set_account(credit.credit_account());
  stray.set_amount_minor(credit.amount_minor());
  stray.set_currency(credit.currency());
  stray.set_returned(!is_return(credit));
  decision d;
  d.record(happened);
  if (!is_return(credit))
    d.move(return_to_source(credit, ctx));
  return d;
}

} // namespace rahat
