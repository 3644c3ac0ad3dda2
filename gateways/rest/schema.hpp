#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

/// JSON Schemas of what the routes take and give, in a shorthand: they are shown to clients in
/// /v2/openapi.json and the tests hold every view against its own.
namespace rahat::rest {

/// A field and its type: id, text, int, money, bool, date, time, digest, currency, or a JSON Schema
/// as it stands (when it begins with '{'). A "?" at the end of a type allows null; one at the end
/// of a name makes the field optional.
using schema_field = std::pair<std::string_view, std::string_view>;

std::string object_schema(std::initializer_list<schema_field> fields);
std::string list_schema(std::string_view item_schema); // {"items":[...],"next":cursor|null}
std::string one_of_schema(std::span<const std::string_view> words);
std::string one_of_schema(std::initializer_list<std::string_view> words);
std::string type_schema(std::string_view type);

} // namespace rahat::rest
