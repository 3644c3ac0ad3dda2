#include "runtime/ports/entities.hpp"

namespace rahat {

uuid request_id_of(std::string_view user, std::string_view method, std::string_view path,
                   std::string_view key) {
  const uuid tenant; // nil until organisations exist
  return derive_id({"request", tenant.raw(), user, method, path, key});
}

} // namespace rahat
