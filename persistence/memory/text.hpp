#pragma once

#include <string_view>

namespace rahat {

/// True for what a text column takes: well-formed UTF-8 without U+0000.
bool is_storable_text(std::string_view text);

/// True for what a jsonb column takes: one JSON value, well-formed UTF-8, no \u0000, no half of a
/// surrogate pair, at most `max_json_depth` deep.
bool is_storable_json(std::string_view text);

inline constexpr int max_json_depth = 64;

} // namespace rahat
