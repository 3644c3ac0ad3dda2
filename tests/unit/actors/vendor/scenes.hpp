#pragma once

#include "actors/vendor/vendor.hpp"
#include "runtime/decider/account.hpp"
#include "tests/unit/actors/support/given.hpp"

#include <string>

/// A vendor registered by the maker, verified by the checker, known to one batch, with one
/// redemption of 50 to settle.
namespace rahat::testing::scenes {

using command = pb::VendorCommand;
using message = pb::VendorMessage;
using state = pb::VendorState;
using outcome = outcome_of<vendor>;

inline const entity_ref self{"vendor", derive_id({"test", "vendor"})};
inline const entity_ref project{"project", derive_id({"test", "project"})};
inline const entity_ref batch{"batch", derive_id({"test", "batch"})};
inline const entity_ref settlement{"settlement", derive_id({"test", "settlement"})};

uuid account(const std::string& currency = "NPR");
uuid outside_account();

command enter(); // `register`
command verify();
command suspend(const std::string& reason = "complaints");
command reactivate();

message ask(const entity_ref& asker = batch, const std::string& currency = "NPR");
message check();
message quote(const entity_ref& who = settlement);
message pay(const entity_ref& who = settlement);
message release(const entity_ref& who = settlement);

/// Redemption number n; each has a purpose of its own.
wire::Credit redemption(int n, std::int64_t amount_minor = 50);
wire::Credit stray_credit();
wire::Credit returned_credit();

state registered(); // by the maker, asked by the batch, one receipt
state verified();
state suspended();
state quoted(const state& before);

state after_command(const state& before, const command& ask, const std::string& user = "maker");
state after_message(const state& before, const message& told);
state after_credit(const state& before, const wire::Credit& credit);

} // namespace rahat::testing::scenes
