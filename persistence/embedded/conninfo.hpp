#pragma once

#include <map>
#include <string>
#include <string_view>

namespace rahat {

/// A Postgres connection string taken apart: keyword -> value, as libpq names them.
using conninfo_fields = std::map<std::string, std::string>;

/// Reads either form, `postgresql://user@host/db?k=v` or `host=... dbname=...`. Throws
/// std::invalid_argument with libpq's sentence; the message never repeats a password.
conninfo_fields parse_conninfo(std::string_view text);

/// Writes the keyword form with proper quoting.
std::string conninfo(const conninfo_fields& fields);

/// The same connection with one field set.
std::string with_field(std::string_view text, const std::string& key, const std::string& value);

/// The same connection with the time-outs that every long-lived connection of a node carries: a
/// dead peer is noticed within `tcp_timeout_ms` and a connect that hangs within 2 seconds.
std::string with_keepalives(std::string_view text, int tcp_timeout_ms);

} // namespace rahat
