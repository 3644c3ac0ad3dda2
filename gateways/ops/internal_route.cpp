#include "gateways/ops/internal_route.hpp"

#include <boost/json/serialize.hpp>
#include <charconv>

namespace rahat::ops {

http::route internal_route(http::method verb, std::string pattern, std::string summary,
                           std::function<void(http::request, http::responder)> handle) {
  http::route r;
  r.verb = verb;
  r.pattern = std::move(pattern);
  r.tag = "internal";
  r.summary = std::move(summary);
  r.roles = {"operator"};
  r.handle = std::move(handle);
  return r;
}

http::response json_reply(const boost::json::value& body, unsigned status) {
  http::response r;
  r.status = status;
  r.body = boost::json::serialize(body);
  return r;
}

std::variant<page_ask, error> page_of(const http::request& from) {
  page_ask out;
  if (auto text = from.query_value("limit")) {
    auto* end = text->data() + text->size();
    auto [rest, failed] = std::from_chars(text->data(), end, out.limit);
    if (failed != std::errc{} || rest != end || out.limit < 1 || out.limit > max_rows)
      return error{errc::invalid_input, "limit must be a number from 1 to 1000", "limit"};
  }
  out.cursor = from.query_value("cursor").value_or("");
  return out;
}

std::vector<http::route::parameter> page_parameters() {
  return {{"limit", "rows a page, 1 to 1000",
           R"({"type":"integer","minimum":1,"maximum":1000,"default":1000})"},
          {"cursor", "where to go on: `next` of the former page"}};
}

error unknown_cursor() {
  return {errc::invalid_input, "use a cursor that a former page gave as \"next\"", "cursor"};
}

} // namespace rahat::ops
