#include "gateways/http/problem.hpp"

#include "gateways/http/text.hpp"

#include <array>

namespace rahat::http {

namespace {

struct errc_row {
  errc code;
  unsigned status;
  std::string_view title;
};

/// The one table of public errors; docs/problems.md is checked against it.
constexpr std::array errc_rows = {
    errc_row{errc::invalid_input, 422, "A field of the request is not valid"},
    errc_row{errc::malformed_body, 400, "The body cannot be read"},
    errc_row{errc::unsupported_media, 415, "The content type is not read here"},
    errc_row{errc::body_too_large, 413, "The body is too large"},
    errc_row{errc::unauthenticated, 401, "A bearer token is needed"},
    errc_row{errc::forbidden, 403, "The token's role may not do this"},
    errc_row{errc::idempotency_key_missing, 400, "An Idempotency-Key is needed"},
    errc_row{errc::idempotency_key_reused, 422, "The Idempotency-Key was used for other content"},
    errc_row{errc::idempotency_key_in_flight, 409, "The first request is still running"},
    errc_row{errc::precondition_failed, 412, "It has changed since it was read"},
    errc_row{errc::not_found, 404, "There is no such thing"},
    errc_row{errc::already_exists, 409, "It exists already"},
    errc_row{errc::wrong_status, 409, "Its status does not allow this"},
    errc_row{errc::maker_is_checker, 403, "A second person has to do this"},
    errc_row{errc::digest_changed, 409, "The pay list has changed"},
    errc_row{errc::wrong_currency, 422, "The currency does not match"},
    errc_row{errc::insufficient_funds, 409, "There is not enough money"},
    errc_row{errc::limit_exceeded, 422, "A limit would be exceeded"},
    errc_row{errc::wrong_code, 403, "The authorisation code is wrong"},
    errc_row{errc::code_expired, 410, "The authorisation code has expired"},
    errc_row{errc::code_exhausted, 429, "The authorisation code was tried too often"},
    errc_row{errc::batch_frozen, 409, "The beneficiary batch is frozen"},
    errc_row{errc::project_not_active, 409, "The project is not active"},
    errc_row{errc::vendor_not_active, 409, "The vendor is not active"},
    errc_row{errc::lines_rejected, 422, "Some lines are in error"},
    errc_row{errc::overloaded, 503, "Too much work is waiting"},
    errc_row{errc::timed_out, 504, "No answer in time"},
    errc_row{errc::unavailable, 503, "Not available for the moment"},
    errc_row{errc::parked, 503, "Waiting for an operator"},
    errc_row{errc::not_ready, 503, "The node is not ready"},
    errc_row{errc::internal, 500, "Something went wrong here"},
    errc_row{errc::moved, 503, "On its way to another node"},
};

struct edge_row {
  edge_problem what;
  unsigned status;
  std::string_view name;
  std::string_view title;
};

constexpr std::array edge_rows = {
    edge_row{edge_problem::bad_request, 400, "bad_request", "The request cannot be read"},
    edge_row{edge_problem::method_not_allowed, 405, "method_not_allowed",
             "The method is not allowed here"},
    edge_row{edge_problem::not_acceptable, 406, "not_acceptable", "Only JSON is spoken here"},
    edge_row{edge_problem::request_timeout, 408, "request_timeout",
             "The request did not arrive in time"},
    edge_row{edge_problem::uri_too_long, 414, "uri_too_long", "The address is too long"},
    edge_row{edge_problem::expectation_failed, 417, "expectation_failed",
             "The expectation cannot be met"},
    edge_row{edge_problem::upgrade_required, 426, "upgrade_required", "A WebSocket is needed"},
    edge_row{edge_problem::header_too_large, 431, "header_too_large", "The header is too large"},
    edge_row{edge_problem::not_implemented, 501, "not_implemented",
             "This server does not know that"},
    edge_row{edge_problem::http_version_not_supported, 505, "http_version_not_supported",
             "Only HTTP/1.0 and HTTP/1.1 are spoken"},
};

const errc_row& row_of(errc code) {
  for (auto& row : errc_rows)
    if (row.code == code)
      return row;
  return errc_rows.back();
}

const edge_row& row_of(edge_problem what) {
  for (auto& row : edge_rows)
    if (row.what == what)
      return row;
  return edge_rows.front();
}

response document(std::string_view code, std::string_view title, unsigned status,
                  std::string_view detail, std::string_view field) {
  response out;
  out.status = status;
  out.content_type = "application/problem+json";
  auto& json = out.body;
  json.reserve(160 + code.size() * 2 + title.size() + detail.size() + field.size());
  json += R"({"type":"https://rahat.io/problems/)";
  json += code;
  json += R"(","title":)";
  append_json_string(json, title);
  json += R"(,"status":)";
  json += std::to_string(status);
  json += R"(,"detail":)";
  append_json_string(json, detail);
  json += R"(,"code":")";
  json += code;
  json += '"';
  if (!field.empty()) {
    json += R"(,"field":)";
    append_json_string(json, field);
  }
  json += '}';
  return out;
}

} // namespace

unsigned status_of(errc code) {
  return row_of(code).status;
}

unsigned status_of(edge_problem what) {
  return row_of(what).status;
}

std::string_view to_string(edge_problem what) {
  return row_of(what).name;
}

std::string_view title_of(errc code) {
  return row_of(code).title;
}

std::string_view title_of(edge_problem what) {
  return row_of(what).title;
}

response problem(const error& e) {
  auto& row = row_of(e.code);
  auto out = document(to_string(e.code), row.title, row.status, e.message, e.field);
  if (is_retryable(e.code))
    out.headers.emplace_back("Retry-After", std::to_string(retry_after_seconds));
  if (e.code == errc::unauthenticated)
    out.headers.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

response problem(edge_problem what, std::string_view detail, std::string_view field) {
  auto& row = row_of(what);
  return document(row.name, row.title, row.status, detail, field);
}

std::span<const errc> all_errcs() {
  static constexpr auto codes = [] {
    std::array<errc, errc_rows.size()> out{};
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = errc_rows[i].code;
    return out;
  }();
  return codes;
}

std::span<const edge_problem> all_edge_problems() {
  static constexpr auto whats = [] {
    std::array<edge_problem, edge_rows.size()> out{};
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = edge_rows[i].what;
    return out;
  }();
  return whats;
}

} // namespace rahat::http
