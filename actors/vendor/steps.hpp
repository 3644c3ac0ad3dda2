#pragma once

#include "actors/vendor/vendor.hpp"
#include "runtime/decider/account.hpp"

#include <string>

/// The parts of the vendor decider. Nobody else includes this.
namespace rahat::vending {

using state = pb::VendorState;
using event = pb::VendorEvent;

// ---- what clients ask (commands.cpp) ---------------------------------------------------------

result enter(const state& now, const pb::RegisterVendor& ask, const context& ctx); // `register`
result verify(const state& now, const context& ctx);
result suspend(const state& now, const pb::SuspendVendor& ask, const context& ctx);
result reactivate(const state& now, const context& ctx);

// ---- what other entities tell (messages.cpp) -------------------------------------------------

decision ask(const state& now, const pb::AskVendor& question, const context& ctx);
decision check(const state& now, const pb::CheckVendor& question, const context& ctx);
decision quote(const state& now, const pb::QuoteSettlement& question);
decision pay(const state& now, const pb::PaySettlement& order, const context& ctx);
decision release(const state& now, const pb::ReleaseSettlement& order);

// ---- credits (messages.cpp) ------------------------------------------------------------------

decision take_receipt(const state& now, const pb::VendorAccount& account,
                      const wire::Credit& credit, const context& ctx);

/// The account that a redemption was paid to, or nullptr when the credit is something else.
const pb::VendorAccount* account_of_redemption(const state& now, const wire::Credit& credit);

/// What askers are told of the vendor.
pb::BatchMessage fact_of(const state& now, const context& ctx);

} // namespace rahat::vending
