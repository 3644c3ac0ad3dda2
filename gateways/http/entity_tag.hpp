#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace rahat::http {

/// One entity tag (RFC 9110 8.8.3). The view lives as long as the header that it was read from.
struct entity_tag {
  std::string_view opaque; // without the quotes
  bool weak = false;       // W/"..."
};

/// What an If-Match or If-None-Match header lists.
struct entity_tags {
  bool any = false; // "*"; `tags` is empty then
  std::vector<entity_tag> tags;
};

/// Reads `*` or a list of entity tags, empty members allowed (RFC 9110 5.6.1); nothing when it is
/// neither. Pure, any thread.
std::optional<entity_tags> parse_entity_tags(std::string_view field);

} // namespace rahat::http
