#pragma once

#include "actors/project/project.pb.h"
#include "runtime/decider/account.hpp"
#include "runtime/decider/context.hpp"
#include "runtime/decider/decision.hpp"

#include <optional>
#include <string>

/// How a project is asked, and what is refused when something new names it.
namespace rahat {

/// Asks the project for one answer: it does not remember who asks so.
inline pb::ProjectMessage question_to_project(const context& ctx) {
  pb::ProjectMessage question;
  assign(*question.mutable_ask()->mutable_asker(), ctx.self);
  question.mutable_ask()->set_once(true);
  return question;
}

/// Something new that names a project: recorded as `asked`, and the client's answer waits for the
/// project's. `Event` is the kind's.
template <class Event, class Ask>
decision ask_project_first(const Ask& ask, const context& ctx) {
  Event happened;
  auto& asked = *happened.mutable_asked();
  *asked.mutable_ask() = ask;
  asked.set_by(ctx.who.user);
  asked.set_request(ctx.request_id.raw());
  decision d;
  d.record(happened)
      .tell({"project", uuid::from_raw(ask.project())}, question_to_project(ctx))
      .postpone();
  return d;
}

/// The project does not exist, or its money is in another currency than `wanted`; empty: any.
inline std::optional<error> fault_with(const pb::ProjectFact& project, const std::string& wanted) {
  if (project.status() == pb::PROJECT_NONE)
    return reject(errc::not_found, "there is no such project: check its id", "project_id");
  if (!wanted.empty() && wanted != project.currency())
    return reject(errc::wrong_currency,
                  "the project's money is in " + project.currency() + ", not in " + wanted +
                      ": leave the currency out",
                  "currency");
  return std::nullopt;
}

} // namespace rahat
