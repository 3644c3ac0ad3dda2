#include "runtime/ports/entities.hpp"

#include <algorithm>

namespace rahat {

bool version_list::holds(std::uint64_t version) const {
  return version != 0 &&
         (any || std::find(versions.begin(), versions.end(), version) != versions.end());
}

uuid request_id_of(std::string_view user, std::string_view method, std::string_view path,
                   std::string_view key) {
  const uuid tenant; // nil until organisations exist
  return derive_id({"request", tenant.raw(), user, method, path, key});
}

} // namespace rahat
