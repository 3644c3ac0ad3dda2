#include "runtime/cluster/routing/frames.hpp"

#include "runtime/decider/account.hpp"

#include <algorithm>

namespace rahat::cluster {

namespace {

using std::chrono::microseconds;

void put(const std::optional<version_list>& from, wire::Versions* (wire::Ask::*to)(),
         wire::Ask& ask) {
  if (!from)
    return;
  auto& out = *(ask.*to)();
  out.set_any(from->any);
  for (auto v : from->versions)
    out.add_versions(v);
}

version_list list_of(const wire::Versions& from) {
  version_list out;
  out.any = from.any();
  out.versions.assign(from.versions().begin(), from.versions().end());
  return out;
}

} // namespace

wire::Entity to_wire(const entity_ref& e) {
  wire::Entity out;
  out.set_kind(e.kind);
  out.set_id(e.id.raw());
  return out;
}

entity_ref from_wire(const wire::Entity& e) {
  return ref_of(e);
}

wire::Ask to_wire(const request& r, std::chrono::steady_clock::time_point now) {
  wire::Ask out;
  *out.mutable_target() = to_wire(r.target);
  out.set_command(r.command);
  if (!r.id.is_nil())
    out.set_request_id(r.id.raw());
  out.set_payload_hash(r.payload_hash);
  out.mutable_who()->set_user(r.who.user);
  out.mutable_who()->set_role(r.who.role);
  out.set_traceparent(r.traceparent);
  out.set_left_us(std::chrono::duration_cast<microseconds>(r.deadline - now).count());
  put(r.if_match, &wire::Ask::mutable_if_match, out);
  put(r.if_none_match, &wire::Ask::mutable_if_none_match, out);
  return out;
}

std::chrono::steady_clock::time_point deadline_of(std::int64_t left_us,
                                                  std::chrono::steady_clock::time_point now) {
  constexpr microseconds hour = std::chrono::hours(1);
  return now + std::clamp(microseconds(left_us), -hour, hour);
}

request from_wire(const wire::Ask& ask, std::chrono::steady_clock::time_point now) {
  request out;
  out.target = from_wire(ask.target());
  out.command = ask.command();
  out.id = uuid::from_raw(ask.request_id());
  out.payload_hash = ask.payload_hash();
  out.who = {ask.who().user(), ask.who().role()};
  out.traceparent = ask.traceparent();
  out.deadline = deadline_of(ask.left_us(), now);
  if (ask.has_if_match())
    out.if_match = list_of(ask.if_match());
  if (ask.has_if_none_match())
    out.if_none_match = list_of(ask.if_none_match());
  return out;
}

wire::Refusal to_wire(const error& e) {
  wire::Refusal out;
  out.set_code(static_cast<std::uint32_t>(e.code));
  out.set_message(e.message);
  out.set_field(e.field);
  return out;
}

error from_wire(const wire::Refusal& r) {
  auto known = r.code() <= static_cast<std::uint32_t>(errc::moved);
  return {known ? static_cast<errc>(r.code()) : errc::internal, r.message(), r.field()};
}

} // namespace rahat::cluster
