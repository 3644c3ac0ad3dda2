#pragma once

#include "actors/disbursement/disbursement.hpp"
#include "runtime/decider/account.hpp"
#include "tests/unit/actors/support/given.hpp"

#include <string>
#include <vector>

/// A disbursement of 500 to two batches with a chunk each: 3 lines of 100 and 2 lines of 100. The
/// maker creates and locks it, the checker approves it.
namespace rahat::testing::scenes {

using command = pb::DisbursementCommand;
using message = pb::DisbursementMessage;
using state = pb::DisbursementState;
using outcome = outcome_of<disbursement>;

inline const entity_ref self{"disbursement", derive_id({"test", "disbursement"})};
inline const entity_ref project{"project", derive_id({"test", "project"})};

entity_ref batch(int i);
uuid list(int round = 1);
uuid reserve_account();
uuid budget_account();

command create(); // in NPR
command lock();
command approve(const state& now);
command reject(const std::string& reason = "wrong village");
command pay();
command pause(const std::string& reason = "flood");
command resume();
command cancel();

/// The project's answer to the lock of that round; round 0: news that nobody asked for.
message project_fact(pb::ProjectStatus status, int batches = 0, int round = 1);
message no_project();
message project_in_dollars();
/// What batch i answers when it has locked its lines.
message batch_locked(int i, int round = 1);
message batch_refused(int i);
message reserve_refused();
message chunk_applied(int i);

wire::Credit reserve_credit();
wire::Credit stray_credit();
wire::Credit returned_credit();

// The states on the way.
state opening();
state draft(const command& ask = create());
state locking();
state asked(); // batch 0 has answered, batch 1 has not
state answered();
state locked();
state approved();
state reserving();
state paying();
state decided(const state& before, int chunks);
state arrived(const state& before, int chunk);

state after_command(const state& before, const command& ask, const std::string& user = "maker");
state after_message(const state& before, const message& told);

} // namespace rahat::testing::scenes
