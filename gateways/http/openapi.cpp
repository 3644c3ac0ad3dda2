#include "gateways/http/openapi.hpp"

#include "gateways/http/problem.hpp"
#include "gateways/http/router.hpp"
#include "gateways/http/text.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <stdexcept>

namespace rahat::http {

namespace {

namespace json = boost::json;

json::string str(std::string_view text) {
  return json::string(text.data(), text.size());
}

json::value schema(const std::string& text, const route& row) {
  boost::system::error_code ec;
  auto parsed = json::parse(text, ec);
  if (ec)
    throw std::logic_error("route " + row.pattern + ": a schema is not JSON: " + ec.message());
  return parsed;
}

/// GET /v2/projects/{id}/accounts -> get_projects_id_accounts; unique, since method and path are.
std::string operation_id(const route& row) {
  auto out = to_lower(to_string(row.verb));
  std::string_view rest = row.pattern;
  if (rest.starts_with("/v2/"))
    rest.remove_prefix(3);
  for (char c : rest) {
    auto word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (word)
      out += c;
    else if (out.back() != '_' && c != '}')
      out += '_';
  }
  return out;
}

json::array parameters(const route& row) {
  json::array out;
  std::string_view rest = row.pattern;
  for (auto open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    auto close = rest.find('}', open);
    out.push_back({{"name", str(rest.substr(open + 1, close - open - 1))},
                   {"in", "path"},
                   {"required", true},
                   {"schema", {{"type", "string"}}}});
    rest = rest.substr(close + 1);
  }
  for (auto& p : row.query)
    out.push_back({{"name", str(p.name)},
                   {"in", "query"},
                   {"required", false},
                   {"description", str(p.description)},
                   {"schema", schema(p.schema, row)}});
  if (row.needs_idempotency_key)
    out.push_back(json::object{{"$ref", "#/components/parameters/IdempotencyKey"}});
  if (row.pattern.find('{') != std::string::npos) {
    bool reads = row.verb == method::get;
    out.push_back({{"name", reads ? "If-None-Match" : "If-Match"},
                   {"in", "header"},
                   {"required", false},
                   {"description", reads ? "An ETag: 304 while nothing has changed."
                                         : "An ETag: 412 when it has changed since."},
                   {"schema", {{"type", "string"}}}});
  }
  return out;
}

json::object problem_response(std::string_view description) {
  return {
      {"description", str(description)},
      {"content",
       {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
}

/// The refusals that the edge makes for such a route; what the kinds refuse is under "default".
json::object responses(const route& row, bool open) {
  json::object success{{"description", "Done."}};
  if (!row.response_schema.empty())
    success["content"] = {{"application/json", {{"schema", schema(row.response_schema, row)}}}};
  json::object out;
  out[std::to_string(row.success)] = std::move(success);
  out["400"] = problem_response("The request cannot be read.");
  if (!open) {
    out["401"] = problem_response("No bearer token, or one that is not known.");
    out["403"] = problem_response("The token's role, or the person, may not do this.");
    out["406"] = problem_response("The Accept header excludes JSON.");
  }
  if (row.pattern.find('{') != std::string::npos) {
    out["404"] = problem_response("There is no such thing.");
    if (row.verb == method::get)
      out["304"] = json::object{{"description", "Not changed since the ETag of If-None-Match."}};
    else
      out["412"] = problem_response("It has changed since the ETag of If-Match.");
  }
  if (row.needs_idempotency_key)
    out["409"] = problem_response(
        "A rule or the status forbids it, or the first request with this "
        "key is still running.");
  if (row.body != body_kind::none) {
    out["413"] = problem_response("The body is too large.");
    out["415"] = problem_response("The content type is not read here.");
    out["422"] = problem_response("A field is not valid, or the key was used for other content.");
  }
  out["503"] = problem_response("Not now: try again after Retry-After seconds with the same key.");
  out["default"] = problem_response("Any other refusal.");
  return out;
}

json::object operation(const route& row, const openapi_info& info) {
  auto open = std::find(info.open_paths.begin(), info.open_paths.end(), row.pattern) !=
              info.open_paths.end();
  json::object out{{"operationId", str(operation_id(row))},
                   {"summary", str(row.summary)},
                   {"tags", json::array{str(row.tag)}},
                   {"parameters", parameters(row)},
                   {"responses", responses(row, open)}};
  out["security"] = open ? json::array{} : json::array{json::object{{"bearer", json::array{}}}};
  if (!row.roles.empty()) {
    json::array roles;
    for (auto& role : row.roles)
      roles.push_back(str(role));
    out["x-roles"] = std::move(roles);
  }
  if (row.body == body_kind::none)
    return out;
  json::object content;
  for (auto& type : row.content_types) {
    json::object media;
    if (!row.request_schema.empty() && (row.body == body_kind::json || type == "application/json"))
      media["schema"] = schema(row.request_schema, row);
    content[type] = std::move(media);
  }
  out["requestBody"] = {{"required", true}, {"content", std::move(content)}};
  return out;
}

json::object problem_schema() {
  json::array codes;
  for (auto code : all_errcs())
    codes.push_back(str(to_string(code)));
  for (auto what : all_edge_problems())
    codes.push_back(str(to_string(what)));
  return {{"type", "object"},
          {"description", "RFC 9457 problem details"},
          {"required", json::array{"type", "title", "status", "detail", "code"}},
          {"properties",
           {{"type", {{"type", "string"}, {"format", "uri"}}},
            {"title", {{"type", "string"}}},
            {"status", {{"type", "integer"}}},
            {"detail", {{"type", "string"}, {"description", "what is wrong and how to go on"}}},
            {"code", {{"type", "string"}, {"enum", std::move(codes)}}},
            {"field", {{"type", "string"}, {"description", "the input field at fault"}}}}}};
}

json::object components() {
  json::object key{
      {"name", "Idempotency-Key"},
      {"in", "header"},
      {"required", true},
      {"description",
       "Any text of yours; the same key with the same content is the "
       "same request and gets the same reply."},
      {"schema",
       {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"pattern", "^[!-~]+$"}}}};
  return {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}},
          {"parameters", {{"IdempotencyKey", std::move(key)}}},
          {"schemas", {{"Problem", problem_schema()}}}};
}

} // namespace

std::string openapi_document(const route_table& routes, const openapi_info& info) {
  json::object paths;
  json::array tags;
  std::vector<std::string> seen;
  for (auto& row : routes) {
    auto& path = paths[row.pattern];
    if (!path.is_object())
      path.emplace_object();
    path.get_object()[to_lower(to_string(row.verb))] = operation(row, info);
    if (std::find(seen.begin(), seen.end(), row.tag) == seen.end()) {
      seen.push_back(row.tag);
      tags.push_back(json::object{{"name", str(row.tag)}});
    }
  }
  json::object document{{"openapi", "3.1.0"},
                        {"info",
                         {{"title", str(info.title)},
                          {"version", str(info.version)},
                          {"description", str(info.description)}}},
                        {"servers", json::array{json::object{{"url", str(info.server_url)}}}},
                        {"tags", std::move(tags)},
                        {"paths", std::move(paths)},
                        {"components", components()}};
  return json::serialize(document);
}

void add_openapi_route(route_table& routes, const openapi_info& info) {
  auto document = std::make_shared<std::string>();
  route row;
  row.pattern = "/v2/openapi.json";
  row.tag = "meta";
  row.summary = "This API as an OpenAPI 3.1 document.";
  row.response_schema = R"({"type":"object"})";
  row.handle = [document](request, responder done) {
    response answer;
    answer.body = *document;
    done(std::move(answer));
  };
  routes.push_back(std::move(row));
  *document = openapi_document(routes, info);
}

} // namespace rahat::http
