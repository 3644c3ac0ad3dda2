#pragma once

#include <boost/json.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

/// JSON as people like to read it.
namespace rahat::ctl {

/// The document; nothing if the text is not JSON. Of several lines of JSON, the last one counts:
/// that is where a stream of progress ends in a result.
std::optional<boost::json::value> parse_json(std::string_view text);

/// A text without quotes, everything else as JSON; control characters are escaped, so that nothing
/// from a node can steer the terminal.
std::string plain(const boost::json::value& value);

/// One "name: value" a line, names aligned.
void print_fields(std::ostream& out, const boost::json::object& fields);

/// Columns as wide as their widest cell, in the order in which the rows first name them.
void print_table(std::ostream& out, const boost::json::array& rows);

/// The member of an object, or nullptr; safe on anything.
const boost::json::value* member(const boost::json::value& of, std::string_view name);
bool is_true(const boost::json::value* value);

/// A whole number however it is held; nothing for anything else.
std::optional<std::int64_t> number(const boost::json::value* value);

} // namespace rahat::ctl
