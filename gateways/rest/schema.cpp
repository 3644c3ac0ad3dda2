#include "gateways/rest/schema.hpp"

#include <array>
#include <stdexcept>

namespace rahat::rest {

namespace {

struct shorthand {
  std::string_view name;
  std::string_view type;
  std::string_view rest;
};

constexpr std::array<shorthand, 9> shorthands = {{
    {"id", "string", R"(,"format":"uuid")"},
    {"text", "string", ""},
    {"int", "integer", ""},
    {"money", "integer", R"(,"format":"int64","description":"minor units of the currency")"},
    {"bool", "boolean", ""},
    {"date", "string", R"(,"format":"date")"},
    {"time", "string", R"(,"format":"date-time")"},
    {"digest", "string", R"(,"pattern":"^[0-9a-f]{64}$")"},
    {"currency", "string", R"(,"pattern":"^[A-Z]{3}$")"},
}};

} // namespace

std::string type_schema(std::string_view type) {
  if (type.starts_with('{'))
    return std::string(type);
  auto nullable = type.ends_with('?');
  if (nullable)
    type.remove_suffix(1);
  for (auto& known : shorthands)
    if (known.name == type)
      return R"({"type":)" +
             (nullable ? R"([")" + std::string(known.type) + R"(","null"])"
                       : '"' + std::string(known.type) + '"') +
             std::string(known.rest) + "}";
  throw std::logic_error("no such schema shorthand: " + std::string(type));
}

std::string object_schema(std::initializer_list<schema_field> fields) {
  std::string properties;
  std::string required;
  for (auto [name, type] : fields) {
    auto optional = name.ends_with('?');
    if (optional)
      name.remove_suffix(1);
    auto quoted = '"' + std::string(name) + '"';
    properties += (properties.empty() ? "" : ",") + quoted + ":" + type_schema(type);
    if (!optional)
      required += (required.empty() ? "" : ",") + quoted;
  }
  auto out = R"({"type":"object","properties":{)" + properties + "}";
  if (!required.empty())
    out += R"(,"required":[)" + required + "]";
  return out + R"(,"additionalProperties":false})";
}

std::string list_schema(std::string_view item_schema) {
  return R"({"type":"object","properties":{"items":{"type":"array","items":)" +
         std::string(item_schema) +
         R"(},"next":{"type":["string","null"],"description":"cursor of the next page"}},)"
         R"("required":["items","next"],"additionalProperties":false})";
}

std::string one_of_schema(std::initializer_list<std::string_view> words) {
  return one_of_schema(std::span(words.begin(), words.size()));
}

std::string one_of_schema(std::span<const std::string_view> words) {
  std::string list;
  for (auto word : words)
    list += (list.empty() ? "\"" : ",\"") + std::string(word) + '"';
  return R"({"type":"string","enum":[)" + list + "]}";
}

} // namespace rahat::rest
