#include "actors/disbursement/steps.hpp"
#include "actors/shared/project_check.hpp"

namespace rahat::disbursing {

namespace {

decision refuse_creation(const state& now, error why) {
  event happened;
  happened.mutable_not_created()->set_reason(why.message);
  decision d;
  d.record(happened).refuse_request(uuid::from_raw(now.waiting_request()), std::move(why));
  return d;
}

} // namespace

bool answers_creation(const state& now, const pb::ProjectFact& project) {
  return now.status() == pb::DISBURSEMENT_OPENING && project.project() == now.details().project();
}

decision finish_creation(const state& now, const pb::ProjectFact& project, const context& ctx) {
  if (auto fault = fault_with(project, now.details().currency()))
    return refuse_creation(now, std::move(*fault));
  if (project.status() == pb::PROJECT_CLOSED)
    return refuse_creation(
        now,
        reject(errc::wrong_status, "the project is closed: disburse in another one", "project_id"));

  event happened;
  auto& created = *happened.mutable_created();
  *created.mutable_ask() = now.details();
  created.mutable_ask()->set_currency(project.currency());
  created.set_by(now.created_by());
  created.set_at_us(ctx.now_us);
  created.set_reserve_account(account_of(ctx.self, "reserve").raw());
  decision d;
  d.record(happened);
  d.answer_request(uuid::from_raw(now.waiting_request()), disbursement::answer(), 201);
  return d;
}

} // namespace rahat::disbursing
