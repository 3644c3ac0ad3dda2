#include "actors/project/steps.hpp"
#include "actors/shared/suspense.hpp"

namespace rahat {

namespace {

void evolve_created(project::state& now, const pb::ProjectCreated& e) {
  now.set_status(pb::PROJECT_DRAFT);
  *now.mutable_details() = e.ask();
  now.set_outside_account(e.outside_account());
  now.set_budget_account(e.budget_account());
  now.set_created_by(e.by());
  now.set_created_us(e.at_us());
  now.set_status_changed_us(e.at_us());
}

void evolve_reserved(project::state& now, const pb::BudgetReserved& e) {
  now.set_budget_minor(now.budget_minor() - e.amount_minor());
  must_hold(now.budget_minor() >= 0, "a budget was overdrawn");
  auto held = projecting::reservation_of(*now.mutable_reservations(), e.disbursement());
  auto* reservation = held == now.mutable_reservations()->end() ? now.add_reservations() : &*held;
  *reservation->mutable_disbursement() = e.disbursement();
  reservation->set_amount_minor(reservation->amount_minor() + e.amount_minor());
}

void evolve_batch_joined(project::state& now, const pb::BatchJoined& e) {
  *now.add_batches() = e.batch();
  now.set_members(now.members() + e.batch().members());
  auto& kept = *now.mutable_places();
  auto at = std::find_if(kept.begin(), kept.end(),
                         [&](auto& places) { return places.upload() == e.upload(); });
  if (at == kept.end())
    return;
  at->set_batches(at->batches() - 1);
  if (at->batches() == 0)
    kept.erase(at);
}

void evolve_reservation_closed(project::state& now, const pb::ReservationClosed& e) {
  auto& held = *now.mutable_reservations();
  auto found = projecting::reservation_of(held, e.disbursement());
  must_hold(found != held.end(), "an unknown reservation was closed");
  held.erase(found);
}

void evolve_credited(project::state& now, const pb::ProjectCredited& e) {
  if (e.returned())
    return;
  if (e.kept()) {
    hold_in_suspense(*now.mutable_suspense(), e.currency(), e.amount_minor());
  } else if (e.account() == now.outside_account()) {
    now.set_outside_minor(now.outside_minor() + e.amount_minor());
    now.set_paid_out_minor(now.paid_out_minor() + e.amount_minor());
  } else if (e.passed_on()) {
    now.set_outside_minor(now.outside_minor() + e.amount_minor());
  } else {
    now.set_budget_minor(now.budget_minor() + e.amount_minor());
  }
}

} // namespace

void project::evolve(state& now, const event& happened) {
  switch (happened.event_case()) {
    case event::kCreated: return evolve_created(now, happened.created());
    case event::kStatusChanged:
      now.set_status(happened.status_changed().status());
      now.set_status_reason(happened.status_changed().reason());
      now.set_status_changed_us(happened.status_changed().at_us());
      return;
    case event::kFunded:
      now.set_outside_minor(now.outside_minor() - happened.funded().amount_minor());
      now.set_budget_minor(now.budget_minor() + happened.funded().amount_minor());
      now.set_funded_minor(now.funded_minor() + happened.funded().amount_minor());
      now.set_fundings(now.fundings() + 1);
      return;
    case event::kAskerAdded: *now.add_askers() = happened.asker_added().asker(); return;
    case event::kBatchJoined: return evolve_batch_joined(now, happened.batch_joined());
    case event::kBudgetReserved: return evolve_reserved(now, happened.budget_reserved());
    case event::kBatchTurnedAway: return;
    case event::kPlacesGranted: *now.add_places() = happened.places_granted().places(); return;
    case event::kPlacesRefused: return;
    case event::kReserveRefused: return;
    case event::kReservationClosed:
      return evolve_reservation_closed(now, happened.reservation_closed());
    case event::kCredited: return evolve_credited(now, happened.credited());
    case event::kGivenBack:
      now.set_budget_minor(now.budget_minor() - happened.given_back().amount_minor());
      now.set_outside_minor(now.outside_minor() + happened.given_back().amount_minor());
      must_hold(now.budget_minor() >= 0, "a budget was overdrawn");
      return;
    default: throw broken_invariant("a project met an event that it does not know");
  }
}

} // namespace rahat
