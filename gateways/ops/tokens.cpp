#include "gateways/ops/tokens.hpp"

#include "gateways/http/json_body.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <boost/json.hpp>
#include <memory>

namespace rahat::ops {

namespace {

namespace json = boost::json;
using http::method;
using http::request;
using http::responder;
using http::response;

constexpr std::size_t max_text = 200; // bytes; the token book has bounds of its own

json::object to_json(const token_row& row) {
  return {{"id", row.id},
          {"user", row.user},
          {"role", row.role},
          {"created_at", rfc3339(row.created_us)},
          {"revoked_at",
           row.revoked_us ? json::value(rfc3339(*row.revoked_us)) : json::value(nullptr)}};
}

response create(const token_desk& desk, const token_ask& ask) {
  auto made = desk.create(ask);
  if (auto* e = std::get_if<error>(&made))
    return http::problem(*e);
  auto& token = std::get<made_token>(made);
  return json_reply(
      json::object{
          {"id", token.id}, {"user", ask.user}, {"role", ask.role}, {"token", token.token}},
      201);
}

response list(const token_desk& desk, const page_ask& ask) {
  auto found = desk.list(ask);
  if (auto* e = std::get_if<error>(&found))
    return http::problem(*e);
  auto& page = std::get<token_page>(found);
  json::array rows;
  for (auto& row : page.rows)
    rows.push_back(to_json(row));
  return json_reply(
      json::object{{"tokens", std::move(rows)},
                   {"next", page.next.empty() ? json::value(nullptr) : json::value(page.next)}});
}

response revoke(const token_desk& desk, const std::string& id) {
  auto gone = desk.revoke(id);
  if (auto* e = std::get_if<error>(&gone))
    return http::problem(*e);
  return json_reply(to_json(std::get<token_row>(gone)));
}

std::variant<token_ask, error> read(const request& from) {
  http::json_reader in(from.body);
  token_ask out;
  out.asker = from.who.user;
  out.key = from.idempotency_key;
  out.user = in.require_string("user", max_text);
  out.role = in.require_string("role", max_text);
  if (auto wrong = in.finish())
    return *wrong;
  return out;
}

} // namespace

http::route_table token_routes(token_desk supplied, queue worker) {
  auto desk = std::make_shared<const token_desk>(std::move(supplied));
  auto make = internal_route(method::post, "/internal/v1/tokens", "Makes an access token.",
                             [desk, worker](request from, responder done) {
                               auto ask = read(from);
                               if (auto* wrong = std::get_if<error>(&ask))
                                 return done(http::problem(*wrong));
                               answer_later(worker, done,
                                            [desk, ask = std::get<token_ask>(std::move(ask))] {
                                              return create(*desk, ask);
                                            });
                             });
  make.body = http::body_kind::json;
  make.needs_idempotency_key = true;
  make.success = 201;
  auto all = internal_route(
      method::get, "/internal/v1/tokens", "Access tokens, newest first.",
      [desk, worker](request from, responder done) {
        auto ask = page_of(from);
        if (auto* wrong = std::get_if<error>(&ask))
          return done(http::problem(*wrong));
        answer_later(worker, done,
                     [desk, ask = std::get<page_ask>(std::move(ask))] { return list(*desk, ask); });
      });
  all.query = page_parameters();
  auto end = internal_route(
      method::post, "/internal/v1/tokens/{id}/revoke",
      "Revokes one: nobody is let in with it any more.",
      [desk, worker](const request& from, responder done) {
        answer_later(worker, done,
                     [desk, id = std::string{from.param("id")}] { return revoke(*desk, id); });
      });
  for (auto* row : {&make, &all, &end})
    row->roles = {"admin"};
  return {std::move(make), std::move(all), std::move(end)};
}

} // namespace rahat::ops
