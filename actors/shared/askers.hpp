#pragma once

#include "runtime/wire/wire.pb.h"

#include <algorithm>

/// Who has asked an entity for a fact and is told of its later changes.
namespace rahat {

using asker_list = google::protobuf::RepeatedPtrField<wire::Entity>;

inline bool same(const wire::Entity& a, const wire::Entity& b) {
  return a.id() == b.id() && a.kind() == b.kind();
}

inline bool has_asked(const asker_list& askers, const wire::Entity& who) {
  return std::any_of(askers.begin(), askers.end(), [&](auto& known) { return same(known, who); });
}

} // namespace rahat
