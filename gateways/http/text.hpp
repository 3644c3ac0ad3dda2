#pragma once

#include <string>
#include <string_view>

/// Small rules about text that arrives over HTTP. Pure functions, any thread.
namespace rahat::http {

/// True when `bytes` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes);

/// Appends the percent-decoded form of `raw` to `out`; `plus_is_space` is the rule of a query.
/// False when an escape is broken, or the result holds U+0000 or is not UTF-8.
bool percent_decode(std::string_view raw, bool plus_is_space, std::string& out);

/// Equality of ASCII letters without regard to case; all other bytes as they are.
bool iequals(std::string_view a, std::string_view b);

std::string_view trim(std::string_view text);

std::string to_lower(std::string_view text);

/// True when a list header ("a, b;q=1") has `token` as one of its members, ignoring case.
bool has_token(std::string_view list, std::string_view token);

/// "Application/JSON; charset=utf-8" -> "application/json".
std::string media_type(std::string_view content_type);

/// False when a content type names a charset other than UTF-8.
bool charset_is_utf8(std::string_view content_type);

/// True when an Accept header leaves application/json or application/problem+json acceptable; an
/// empty header accepts everything.
bool accepts_json(std::string_view accept);

/// 1 to 255 visible ASCII characters (0x21 to 0x7e): what an Idempotency-Key may be.
bool is_idempotency_key(std::string_view key);

/// Appends `text` as a JSON string literal, quotes included. `text` is taken to be UTF-8.
void append_json_string(std::string& out, std::string_view text);

} // namespace rahat::http
