#pragma once

#include "actors/batch/batch.hpp"

#include <string>

/// The commands, messages and turns of own work of a batch, one function each. Not for others.
namespace rahat::batch_steps {

// enrolling.cpp
decision enroll(const batch::state& now, const pb::Enroll& ask, const context& ctx);
decision accept(const batch::state& now, const context& ctx);
decision drop(const batch::state& now);
decision enrol_members(const batch::state& now, const context& ctx);
bool is_enrolling(const batch::state& now);

// locking.cpp
decision lock(const batch::state& now, const pb::LockLines& ask, const context& ctx);
decision unlock(const batch::state& now, const pb::UnlockLines& ask);
decision pay(const batch::state& now, const pb::PayChunk& ask, const context& ctx);
decision lock_members(const batch::state& now, const context& ctx);
bool is_locking(const batch::state& now);
/// What a member gets from a pay list; 0: no line.
std::int64_t amount_of(const batch::state& now, const pb::LockLines& list, std::uint32_t member);

// redeeming.cpp
result issue_code(const batch::state& now, const pb::IssueCode& ask, const context& ctx);
result redeem(const batch::state& now, const pb::Redeem& ask, const context& ctx);
decision project_known(const batch::state& now, const pb::ProjectFact& fact, const context& ctx);
decision vendor_known(const batch::state& now, const pb::VendorFact& fact, const context& ctx);
decision decide_waiting(const batch::state& now, const context& ctx);
/// The first redemption that waits for nobody any more; the number of those waiting if none.
int next_waiting(const batch::state& now);
/// Why a person cannot use the batch's wallets now, if so.
std::optional<error> closed_to_people(const batch::state& now);

/// A message of another entity.
pb::ProjectMessage ask_project(const context& ctx);

} // namespace rahat::batch_steps
