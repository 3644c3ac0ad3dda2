#include "actors/vendor/vendor.hpp"

#include "actors/shared/stray_credit.hpp"
#include "actors/shared/suspense.hpp"
#include "actors/vendor/steps.hpp"

namespace rahat {

namespace steps = vending;

result vendor::decide(const state& now, const command& ask, const context& ctx) {
  if (now.status() == pb::VENDOR_NONE && !ask.has_register_())
    return reject(errc::not_found, "there is no such vendor: check its id");
  switch (ask.command_case()) {
    case command::kRegister: return steps::enter(now, ask.register_(), ctx);
    case command::kVerify: return steps::verify(now, ctx);
    case command::kSuspend: return steps::suspend(now, ask.suspend(), ctx);
    case command::kReactivate: return steps::reactivate(now, ctx);
    case command::COMMAND_NOT_SET: break;
  }
  return reject(errc::invalid_input, "this command is not known to vendors");
}

decision vendor::told(const state& now, const message& message, const context& ctx) {
  using told = vendor::message;
  switch (message.message_case()) {
    case told::kAsk: return steps::ask(now, message.ask(), ctx);
    case told::kCheck: return steps::check(now, message.check(), ctx);
    case told::kQuote: return steps::quote(now, message.quote());
    case told::kPay: return steps::pay(now, message.pay(), ctx);
    case told::kRelease: return steps::release(now, message.release());
    case told::MESSAGE_NOT_SET: break;
  }
  throw broken_invariant("a vendor was told something unknown");
}

decision vendor::credited(const state& now, const wire::Credit& credit, const context& ctx) {
  if (auto* account = steps::account_of_redemption(now, credit))
    return steps::take_receipt(now, *account, credit, ctx);
  return stray_credit<event>(credit, ctx);
}

bool vendor::exists(const state& now) {
  return now.status() != pb::VENDOR_NONE;
}

query_keys vendor::keys(const state& now) {
  query_keys keys;
  keys.status = to_string(now.status());
  keys.created_us = now.created_us();
  return keys;
}

std::vector<owned_total> vendor::totals(const state& now) {
  std::vector<owned_total> out;
  for (auto& account : now.accounts())
    add_total(out, account.currency(), account.balance_minor());
  add_totals(out, now.suspense());
  return out;
}

std::string_view to_string(pb::VendorStatus status) {
  switch (status) {
    case pb::VENDOR_REGISTERED: return "registered";
    case pb::VENDOR_VERIFIED: return "verified";
    case pb::VENDOR_SUSPENDED: return "suspended";
    default: return "none";
  }
}

uuid vendor::account_for(const uuid& vendor, const uuid& project, std::string_view currency) {
  return account_of({std::string(name), vendor}, "vendor", project.raw() + std::string(currency));
}

} // namespace rahat
