#include "apps/rahatctl/paged.hpp"

#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <cctype>
#include <ostream>
#include <utility>

namespace rahat::ctl {

namespace json = boost::json;

namespace {

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~')
      out += c;
    else
      (out += '%').append({digits[byte >> 4U], digits[byte & 0xFU]});
  }
  return out;
}

/// Adds one page; its `next`, "" behind the last one.
std::optional<std::string> add_page(context& ctx, client& node, const std::string& path,
                                    const std::string& name, json::array& rows) {
  const bool as_json = std::exchange(ctx.json, false); // the pages are written out together
  auto document = ctx.accept(node.get(path));
  ctx.json = as_json;
  if (!document)
    return std::nullopt;
  auto found = member(*document, name);
  if (found == nullptr || !found->is_array()) {
    ctx.fail("the node's answer holds no list of " + name);
    return std::nullopt;
  }
  for (auto& row : found->get_array())
    rows.push_back(row);
  auto next = member(*document, "next");
  return next == nullptr || next->is_null() ? "" : plain(*next);
}

} // namespace

std::optional<json::array> all_rows(context& ctx, client& node, const std::string& path,
                                    const std::string& name) {
  json::array rows;
  for (std::string cursor;;) {
    auto next = add_page(
        ctx, node, cursor.empty() ? path : path + "?cursor=" + percent_encoded(cursor), name, rows);
    if (!next)
      return std::nullopt;
    if (next->empty())
      return rows;
    if (*next == cursor) {
      ctx.fail("the node's list of " + name + " leads back to where it was: it would never end");
      return std::nullopt;
    }
    cursor = std::move(*next);
  }
}

void print_rows(context& ctx, const std::string& name, json::array rows,
                const std::string& if_empty) {
  if (ctx.json)
    ctx.out << json::serialize(json::object{{name, std::move(rows)}}) << '\n';
  else if (rows.empty())
    ctx.out << if_empty << '\n';
  else
    print_table(ctx.out, rows);
}

} // namespace rahat::ctl
