#include "actors/shared/text.hpp"
#include "actors/vendor/steps.hpp"

namespace rahat::vending {

namespace {

std::optional<error> fault_in(const pb::RegisterVendor& ask) {
  if (!is_some_text(ask.name(), vendor::max_name))
    return reject(errc::invalid_input, "give the vendor a name of 1 to 200 characters", "name");
  if (!is_text(ask.location(), vendor::max_name))
    return reject(errc::invalid_input, "the location has at most 200 characters", "location");
  if (!is_text(ask.external_ref(), vendor::max_name))
    return reject(errc::invalid_input, "the reference has at most 200 characters", "external_ref");
  return std::nullopt;
}

error wrong_status(const state& now, std::string_view needed) {
  return reject(errc::wrong_status, "the vendor is " + std::string(to_string(now.status())) + ": " +
                                        std::string(needed));
}

/// A change of status is told at once to everybody who has asked.
decision change_status(const state& now, pb::VendorStatus to, const std::string& reason,
                       const context& ctx) {
  event happened;
  auto& changed = *happened.mutable_status_changed();
  changed.set_status(to);
  changed.set_reason(reason);
  changed.set_by(ctx.who.user);
  changed.set_at_us(ctx.now_us);
  decision d;
  d.record(happened);
  auto fact = fact_of(now, ctx);
  fact.mutable_vendor()->set_status(to);
  fact.mutable_vendor()->set_changed_us(ctx.now_us);
  for (auto& asker : now.askers())
    d.tell(ref_of(asker), fact);
  return d;
}

} // namespace

result enter(const state& now, const pb::RegisterVendor& ask, const context& ctx) {
  if (now.status() != pb::VENDOR_NONE)
    return reject(errc::already_exists, "this vendor exists already");
  if (auto fault = fault_in(ask))
    return *fault;

  event happened;
  auto& registered = *happened.mutable_registered();
  *registered.mutable_ask() = ask;
  registered.set_by(ctx.who.user);
  registered.set_at_us(ctx.now_us);
  decision d;
  d.record(happened).status(201);
  return d;
}

result verify(const state& now, const context& ctx) {
  if (now.status() != pb::VENDOR_REGISTERED)
    return wrong_status(now, "only a registered vendor can be verified");
  if (ctx.who.user == now.created_by())
    return reject(errc::maker_is_checker,
                  "whoever registered a vendor cannot verify it: ask another checker");
  return change_status(now, pb::VENDOR_VERIFIED, "", ctx);
}

result suspend(const state& now, const pb::SuspendVendor& ask, const context& ctx) {
  if (now.status() == pb::VENDOR_SUSPENDED)
    return wrong_status(now, "it is suspended already");
  if (!is_some_text(ask.reason(), vendor::max_reason))
    return reject(errc::invalid_input, "say why in 1 to 1000 characters", "reason");
  return change_status(now, pb::VENDOR_SUSPENDED, ask.reason(), ctx);
}

result reactivate(const state& now, const context& ctx) {
  if (now.status() != pb::VENDOR_SUSPENDED)
    return wrong_status(now, "only a suspended vendor can be reactivated");
  auto to = now.verified() ? pb::VENDOR_VERIFIED : pb::VENDOR_REGISTERED;
  return change_status(now, to, "", ctx);
}

} // namespace rahat::vending
