#pragma once

#include "actors/disbursement/disbursement.hpp"
#include "runtime/decider/account.hpp"

#include <string>
#include <string_view>

/// The parts of the disbursement decider. Nobody else includes this.
namespace rahat::disbursing {

using state = pb::DisbursementState;
using event = pb::DisbursementEvent;

// ---- what clients ask (commands.cpp) ---------------------------------------------------------

result create(const state& now, const pb::CreateDisbursement& ask, const context& ctx);
result lock(const state& now, const context& ctx);
result approve(const state& now, const pb::ApproveDisbursement& ask, const context& ctx);
result reject(const state& now, const pb::RejectDisbursement& ask, const context& ctx);
result pay(const state& now, const context& ctx);
result pause(const state& now, const pb::PauseDisbursement& ask, const context& ctx);
result resume(const state& now, const context& ctx);
result cancel(const state& now, const pb::CancelDisbursement& ask, const context& ctx);

// ---- creating (creating.cpp) -----------------------------------------------------------------

/// True for the first answer of the project that a new disbursement waits for.
bool answers_creation(const state& now, const pb::ProjectFact& project);
/// A draft, or a refused client and nothing.
decision finish_creation(const state& now, const pb::ProjectFact& project, const context& ctx);

// ---- locking (locking.cpp) -------------------------------------------------------------------

/// True for the project's answer to this very lock, not for news or the answer to a former one.
bool answers_lock(const state& now, const pb::ProjectFact& project);
decision spread_lock(const state& now, const pb::ProjectFact& project, const context& ctx);
decision batch_locked(const state& now, const pb::BatchLocked& answer, const context& ctx);
bool all_batches_locked(const state& now);
/// Locks the list, unless a person stands in two batches. Waits for the feed of duplicates.
decision finish_lock(const state& now, const context& ctx);

// ---- paying (paying.cpp) ---------------------------------------------------------------------

bool is_awaited_reserve(const state& now, const wire::Credit& credit, const context& ctx);
decision reserved(const state& now, const wire::Credit& credit, const context& ctx);
decision reserve_refused(const state& now, const pb::ReserveAnswer& answer, const context& ctx);
decision pay_next_chunk(const state& now, const context& ctx);
decision chunk_applied(const state& now, const pb::ChunkApplied& notice, const context& ctx);
decision project_changed(const state& now, const pb::ProjectFact& project, const context& ctx);

// ---- endings (ending.cpp) --------------------------------------------------------------------

/// True while something that was asked has not been answered: a batch, the reserve, a chunk.
bool waits_for_others(const state& now);
/// Tells every batch that holds lines of the list to let go of it.
void unlock_all(decision& d, const state& now, const context& ctx);
/// Ends a disbursement that waits for nobody; `now` is the state after the decision's events.
void end_cancelled(decision& d, const state& now, const context& ctx);
void end_completed(decision& d, const state& now, const context& ctx);
/// The state after what the decision has recorded so far.
state after(const state& now, const decision& d);

// ---- the pay list (pay_list.cpp) -------------------------------------------------------------

uuid list_id(const entity_ref& self, std::uint32_t round);
/// SHA-256 over the list; layout in docs/protocols/disbursement.md. All batches have answered.
digest digest_of_list(const state& now);
/// Empty, or why the batch's answer cannot be right.
std::string fault_in(const pb::BatchLocked& answer, std::uint32_t first_line);

inline entity_ref project_of(const state& now) {
  return {"project", uuid::from_raw(now.details().project())};
}

inline entity_ref batch_ref(std::string_view id) {
  return {"batch", uuid::from_raw(id)};
}

} // namespace rahat::disbursing
