#pragma once

#include "actors/project/project.pb.h"
#include "runtime/decider/decision.hpp"

#include <optional>
#include <string>

/// What is refused when something new names a project, once that project has been asked.
namespace rahat {

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
