#include "gateways/http/entity_tag.hpp"

#include "gateways/http/text.hpp"

namespace rahat::http {

namespace {

/// etagc: visible characters but the quote, and what is beyond ASCII. A comma may be among them.
bool belongs_to_a_tag(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte == 0x21 || (byte >= 0x23 && byte <= 0x7e) || byte >= 0x80;
}

/// Takes one tag off the front of `rest`.
std::optional<entity_tag> take_tag(std::string_view& rest) {
  entity_tag out;
  out.weak = rest.starts_with("W/");
  if (out.weak)
    rest.remove_prefix(2);
  if (!rest.starts_with('"'))
    return std::nullopt;
  rest.remove_prefix(1);
  std::size_t length = 0;
  while (length < rest.size() && belongs_to_a_tag(rest[length]))
    ++length;
  if (length == rest.size() || rest[length] != '"')
    return std::nullopt;
  out.opaque = rest.substr(0, length);
  rest.remove_prefix(length + 1);
  return out;
}

} // namespace

std::optional<entity_tags> parse_entity_tags(std::string_view field) {
  entity_tags out;
  auto rest = trim(field);
  if (rest == "*") {
    out.any = true;
    return out;
  }
  while (!rest.empty()) {
    if (rest.front() != ',') {
      auto tag = take_tag(rest);
      if (!tag)
        return std::nullopt;
      out.tags.push_back(*tag);
      rest = trim(rest);
    }
    if (rest.empty())
      break;
    if (rest.front() != ',')
      return std::nullopt;
    rest = trim(rest.substr(1));
  }
  return out;
}

} // namespace rahat::http
