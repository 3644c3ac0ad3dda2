#pragma once

#include <boost/json.hpp>

#include <optional>
#include <string>

namespace rahat::ctl {

class client;
struct context;

/// The rows of all pages of a list: the member `name` of each answer to `path`, followed by its
/// `next` as ?cursor= until there is none. Nothing after an error, which has been told; nothing is
/// written out.
std::optional<boost::json::array> all_rows(context& ctx, client& node, const std::string& path,
                                           const std::string& name);

/// Writes them: `{name: rows}` with --json, else a table, or `if_empty`.
void print_rows(context& ctx, const std::string& name, boost::json::array rows,
                const std::string& if_empty);

} // namespace rahat::ctl
