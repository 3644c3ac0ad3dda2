#pragma once

#include "actors/project/project.pb.h"
#include "gateways/rest/json_writer.hpp"

#include <cstdint>

/// What several kinds' views have in common.
namespace rahat::rest {

/// `"id"` comes first in every document: Location and tests rely on it.
inline json_writer& begin_view(json_writer& out, const entity_ref& self, std::uint64_t version) {
  return out.begin_object().id("id", self.id).number("version", static_cast<std::int64_t>(version));
}

inline json_writer& suspense_of(json_writer& out,
                                const google::protobuf::RepeatedPtrField<pb::Suspense>& held) {
  out.begin_array("suspense");
  for (auto& entry : held)
    out.begin_object()
        .text("currency", entry.currency())
        .number("amount_minor", entry.amount_minor())
        .end_object();
  return out.end_array();
}

/// Money that came back and found no place; see docs/protocols/credit.md.
inline constexpr std::string_view suspense_schema =
    R"({"type":"array","items":{"type":"object","properties":{"currency":{"type":"string"},)"
    R"("amount_minor":{"type":"integer"}},"required":["currency","amount_minor"]}})";

} // namespace rahat::rest
