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
  const bool reads = row.verb == method::get;
  if (reads ? row.has_etag : row.pattern.find('{') != std::string::npos) {
    out.push_back({{"name", reads ? "If-None-Match" : "If-Match"},
                   {"in", "header"},
                   {"required", false},
                   {"description", reads ? "ETags that you have, or *: 304 while it is one of them."
                                         : "ETags that you have seen, or *: 412 unless it is one "
                                           "of them; weak ones never match."},
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

json::object shared_response(std::string_view name) {
  return {{"$ref", str("#/components/responses/" + std::string(name))}};
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
  if (row.pattern.find('{') != std::string::npos)
    out["404"] = problem_response("There is no such thing.");
  if (row.has_etag)
    out["304"] = json::object{{"description", "Not changed since the ETag of If-None-Match."}};
  out["405"] = shared_response("MethodNotAllowed");
  if (row.verb != method::get)
    out["412"] = problem_response("Its version is none that If-Match names.");
  if (row.needs_idempotency_key)
    out["409"] = problem_response(
        "A rule or the status forbids it, or the first request with this "
        "key is still running.");
  if (row.body != body_kind::none) {
    out["413"] = problem_response("The body is too large.");
    out["415"] = problem_response("The content type or coding is not read here.");
    out["422"] = problem_response("A field is not valid, or the key was used for other content.");
  }
  out["431"] = shared_response("HeaderTooLarge");
  out["504"] = shared_response("TimedOut");
  out["503"] = problem_response("Not now: try again after Retry-After seconds with the same key.");
  out["default"] = problem_response("Any other refusal.");
  return out;
}

/// No body counts as {}, so one has to be sent only where a field has to be in it.
bool needs_body(const route& row) {
  if (row.body == body_kind::stream || row.request_schema.empty())
    return true;
  auto described = schema(row.request_schema, row);
  auto* fields = described.if_object();
  auto* required = fields == nullptr ? nullptr : fields->if_contains("required");
  return required != nullptr && required->is_array() && !required->get_array().empty();
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
  out["requestBody"] = {{"required", needs_body(row)}, {"content", std::move(content)}};
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

json::object shared_responses() {
  auto other_method = problem_response("Another method on this path.");
  other_method["headers"] = {
      {"Allow",
       {{"description", "The methods that the path takes."}, {"schema", {{"type", "string"}}}}}};
  return {{"MethodNotAllowed", std::move(other_method)},
          {"HeaderTooLarge",
           problem_response("The header fields are too long; the connection is closed.")},
          {"TimedOut", problem_response("No answer in time: ask again with the same key.")}};
}

/// The WebSocket (docs/protocols/live.md): OpenAPI knows the handshake, its description the rest.
json::object live_operation() {
  json::object frame{
      {"type", "object"},
      {"required", json::array{"topic", "token", "type", "at", "data"}},
      {"properties",
       {{"topic", {{"type", "string"}}},
        {"token", {{"type", "string"}, {"description", "resume after it; empty for progress"}}},
        {"type",
         {{"type", "string"}, {"description", "subscribed, error, progress, state or an event"}}},
        {"at", {{"type", "string"}, {"format", "date-time"}}},
        {"data", json::object{}}}}};
  json::object subscribe{
      {"type", "object"},
      {"properties",
       {{"subscribe", {{"type", "array"}, {"items", {{"type", "string"}}}}},
        {"after", {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}}}}},
      {"additionalProperties", false}};
  json::object responses{
      {"101", {{"description", "The WebSocket is open; x-frames says what is sent over it."}}},
      {"400", problem_response("This is not a WebSocket handshake.")},
      {"401", problem_response("No bearer token, or one that is not known.")},
      {"426", problem_response("Connect to this path with a WebSocket.")},
      {"431", shared_response("HeaderTooLarge")},
      {"503", problem_response("Not now: try again after Retry-After seconds.")}};
  return {
      {"operationId", "get_live"},
      {"summary", "What happens, as it happens: a WebSocket"},
      {"description",
       "The token comes in Authorization or, for browsers, as a subprotocol: offer rahat.v2 and "
       "bearer.<token>. The client sends text frames "
       "{\"subscribe\":[\"disbursement/<id>\",\"project/<id>\",\"feed\"],\"after\":{topic: token}} "
       "and gets, for each topic, one frame of type subscribed or error, and the topic's events as "
       "{\"topic\",\"token\",\"type\",\"at\",\"data\"}. Sent under after, a topic's last token "
       "brings everything since. Progress has no token and comes at most 10 times a second."},
      {"tags", json::array{"live"}},
      {"security", json::array{json::object{{"bearer", json::array{}}}}},
      {"parameters", json::array{json::object{{"name", "Sec-WebSocket-Protocol"},
                                              {"in", "header"},
                                              {"required", false},
                                              {"description", "rahat.v2, bearer.<token>"},
                                              {"schema", {{"type", "string"}}}}}},
      {"responses", std::move(responses)},
      {"x-frames", {{"client", std::move(subscribe)}, {"server", std::move(frame)}}}};
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
          {"responses", shared_responses()},
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
  if (!info.live_path.empty()) {
    paths[info.live_path] = json::object{{"get", live_operation()}};
    tags.push_back(json::object{{"name", "live"}});
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
