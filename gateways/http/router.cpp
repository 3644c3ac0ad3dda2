#include "gateways/http/router.hpp"

#include "gateways/http/entity_tag.hpp"
#include "gateways/http/problem.hpp"
#include "gateways/http/text.hpp"
#include "runtime/decider/id.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace rahat::http {

namespace {

constexpr std::size_t max_segments = 16; // deeper paths are 404: no route is that deep
constexpr std::size_t max_query_parameters = 32;
constexpr std::size_t method_count = 5;
constexpr std::size_t no_route = static_cast<std::size_t>(-1);
constexpr std::array<std::string_view, method_count> method_names = {"GET", "POST", "PUT", "PATCH",
                                                                     "DELETE"};

std::optional<method> method_of(std::string_view verb) {
  if (verb == "HEAD")
    return method::get;
  for (std::size_t i = 0; i < method_count; ++i)
    if (method_names[i] == verb)
      return static_cast<method>(i);
  return std::nullopt;
}

bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// "/a/b" -> "a", "b". The leading slash is there.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  out.reserve(6);
  path.remove_prefix(1);
  for (;;) {
    auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos)
      return out;
    path.remove_prefix(slash + 1);
  }
}

/// "http://host/path?q" -> "/path?q" (RFC 9112 3.2.2: a server accepts the absolute form).
std::string_view origin_form(std::string_view target) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (target.size() < scheme.size() || !iequals(target.substr(0, scheme.size()), scheme))
      continue;
    auto slash = target.find_first_of("/?", scheme.size());
    return slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return target;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (auto& name : names) {
    if (!out.empty())
      out += ", ";
    out += name;
  }
  return out;
}

response bad_request(std::string_view detail, std::string_view field = {}) {
  return problem(edge_problem::bad_request, detail, field);
}

/// Reads "a=1&b=2" into pairs; false when an escape or a character is not readable.
bool parse_query(std::string_view raw, std::vector<std::pair<std::string, std::string>>& out) {
  while (!raw.empty()) {
    auto end = raw.find('&');
    auto part = raw.substr(0, end);
    raw = end == std::string_view::npos ? std::string_view{} : raw.substr(end + 1);
    if (part.empty())
      continue;
    if (out.size() == max_query_parameters)
      return false;
    auto equals = part.find('=');
    auto& [name, value] = out.emplace_back();
    if (!percent_decode(part.substr(0, equals), true, name))
      return false;
    if (equals != std::string_view::npos && !percent_decode(part.substr(equals + 1), true, value))
      return false;
  }
  return true;
}

/// "Bearer abc" -> "abc", else empty.
std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view scheme = "Bearer ";
  if (authorization.size() <= scheme.size() ||
      !iequals(authorization.substr(0, scheme.size()), scheme))
    return {};
  return trim(authorization.substr(scheme.size()));
}

} // namespace

/// One step of the path. Literals are tried before the parameter.
struct router::node {
  std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;
  std::unique_ptr<node> parameter;
  std::array<std::size_t, method_count> routes = {no_route, no_route, no_route, no_route, no_route};
  std::string allow; // "GET, HEAD, OPTIONS", empty when no route ends here

  node* literal(std::string_view name) const {
    for (auto& [key, child] : literals)
      if (key == name)
        return child.get();
    return nullptr;
  }
};

std::string_view to_string(method verb) {
  return method_names[static_cast<std::size_t>(verb)];
}

router::router(route_table table, router_options options)
    : table_(std::move(table)), options_(std::move(options)), root_(std::make_unique<node>()) {
  for (std::size_t i = 0; i < table_.size(); ++i)
    add(table_[i], i);
}

router::~router() = default;
router::router(router&&) noexcept = default;

void router::add(const route& row, std::size_t index) {
  auto wrong = [&](std::string_view why) {
    throw std::logic_error("route " + row.pattern + ": " + std::string(why));
  };
  if (row.pattern.empty() || row.pattern.front() != '/')
    wrong("a pattern begins with /");
  if (row.body == body_kind::stream ? !row.handle_stream : !row.handle)
    wrong("it has no handler");
  auto* at = root_.get();
  for (auto segment : split(row.pattern)) {
    if (is_parameter(segment)) {
      if (!at->parameter)
        at->parameter = std::make_unique<node>();
      at = at->parameter.get();
      continue;
    }
    auto* next = at->literal(segment);
    if (next == nullptr)
      next = at->literals.emplace_back(segment, std::make_unique<node>()).second.get();
    at = next;
  }
  auto& slot = at->routes[static_cast<std::size_t>(row.verb)];
  if (slot != no_route)
    wrong("the same method and path stand in the table twice");
  slot = index;
  at->allow.clear();
  for (std::size_t i = 0; i < method_count; ++i) {
    if (at->routes[i] == no_route)
      continue;
    at->allow += method_names[i];
    at->allow += i == 0 ? ", HEAD, " : ", ";
  }
  at->allow += "OPTIONS";
}

const router::node* router::find(const node& at, const std::vector<std::string>& segments,
                                 std::size_t depth, std::vector<std::size_t>& captured) const {
  if (depth == segments.size())
    return at.allow.empty() ? nullptr : &at;
  if (auto* next = at.literal(segments[depth]))
    if (auto* found = find(*next, segments, depth + 1, captured))
      return found;
  if (!at.parameter || segments[depth].empty())
    return nullptr;
  captured.push_back(depth);
  if (auto* found = find(*at.parameter, segments, depth + 1, captured))
    return found;
  captured.pop_back();
  return nullptr;
}

bool router::is_open(std::string_view path) const {
  return std::find(options_.open_paths.begin(), options_.open_paths.end(), path) !=
         options_.open_paths.end();
}

/// Writes the captured ids as we write them: a request id is made from the path, and one key under
/// two spellings of one id must not be two requests.
void router::name_parameters(std::vector<std::string>& segments,
                             const std::vector<std::size_t>& captured, admission& out) const {
  for (auto at : captured)
    if (auto id = uuid::parse(segments[at]))
      segments[at] = id->str();
  for (auto& segment : segments) {
    out.ask.path += '/';
    out.ask.path += segment;
  }
  std::size_t next = 0;
  for (auto name : split(out.to->pattern))
    if (is_parameter(name))
      out.ask.params.emplace_back(name.substr(1, name.size() - 2),
                                  std::move(segments[captured[next++]]));
}

/// Picks the route by method; OPTIONS is answered here.
std::optional<response> router::choose(const request_head& head, const node& at,
                                       admission& out) const {
  if (head.verb == "OPTIONS")
    return response{204, "", "", {{"Allow", at.allow}}};
  auto verb = method_of(head.verb);
  if (!verb) {
    auto known = head.verb == "TRACE" || head.verb == "CONNECT";
    auto no = problem(known ? edge_problem::method_not_allowed : edge_problem::not_implemented,
                      "use one of the methods " + at.allow);
    no.headers.emplace_back("Allow", at.allow);
    return no;
  }
  auto index = at.routes[static_cast<std::size_t>(*verb)];
  if (index == no_route) {
    auto no = problem(edge_problem::method_not_allowed, "this path does not take " +
                                                            std::string(head.verb) +
                                                            "; use one of the methods " + at.allow);
    no.headers.emplace_back("Allow", at.allow);
    return no;
  }
  out.to = &table_[index];
  out.label = out.to->pattern;
  out.ask.verb = *verb;
  return std::nullopt;
}

std::optional<response> router::authorise(const request_head& head, const authenticator& who,
                                          admission& out) const {
  if (!ready())
    return problem(
        {errc::not_ready, "this node is starting, stopping or has lost its lease: try again", {}});
  auto token = bearer(head.authorization);
  auto known = token.empty() || !who ? std::nullopt : who(token);
  if (!known)
    return problem({errc::unauthenticated,
                    token.empty() ? "send the header 'Authorization: Bearer <token>'"
                                  : "this token is not known: ask an administrator for a new one",
                    {}});
  out.ask.who = std::move(*known);
  auto& roles = out.to->roles;
  auto& role = out.ask.who.role;
  if (roles.empty() || role == "admin" ||
      std::find(roles.begin(), roles.end(), role) != roles.end())
    return std::nullopt;
  return problem(
      {errc::forbidden, "the role '" + role + "' may not do this; it takes: " + joined(roles), {}});
}

/// Whether the body comes in a form that is read here.
std::optional<response> router::check_media(const request_head& head, admission& out) const {
  auto& to = *out.to;
  out.ask.content_type = media_type(head.content_type);
  if (to.body != body_kind::none && (head.has_body || !head.content_type.empty())) {
    auto& types = to.content_types;
    auto known = std::find(types.begin(), types.end(), out.ask.content_type) != types.end();
    if (!known || !charset_is_utf8(head.content_type))
      return problem({errc::unsupported_media,
                      "send the body in UTF-8 with the Content-Type " + joined(types),
                      "Content-Type"});
  }
  if (!head.has_body || head.content_encoding.empty())
    return std::nullopt;
  auto no = problem({errc::unsupported_media,
                     "send the body as it is, not compressed: no Content-Encoding but identity is "
                     "accepted",
                     "Content-Encoding"});
  no.headers.emplace_back("Accept-Encoding", "identity"); // RFC 9110 12.5.3
  return no;
}

/// Whether the query holds what the route takes, each parameter once.
std::optional<response> router::check_query(std::string_view raw_query, admission& out) const {
  auto& query = out.ask.query;
  if (!parse_query(raw_query, query))
    return bad_request("the query is not readable: escape it as UTF-8 without U+0000");
  auto& allowed = out.to->query;
  for (auto at = query.begin(); at != query.end(); ++at) {
    auto& name = at->first;
    if (std::none_of(allowed.begin(), allowed.end(), [&](auto& p) { return p.name == name; })) {
      std::vector<std::string> names;
      for (auto& parameter : allowed)
        names.push_back(parameter.name);
      return bad_request(names.empty() ? "this path takes no query parameters"
                                       : "unknown query parameter; allowed are: " + joined(names),
                         name);
    }
    if (std::any_of(query.begin(), at, [&](auto& former) { return former.first == name; }))
      return bad_request("the query parameter '" + name + "' is there twice: send it once", name);
  }
  return std::nullopt;
}

/// The checks that need the route but no token.
std::optional<response> router::check(const request_head& head, std::string_view raw_query,
                                      admission& out) const {
  if (auto no = check_media(head, out))
    return no;
  if (auto no = check_query(raw_query, out))
    return no;
  if (out.to->needs_idempotency_key && !head.has_idempotency_key)
    return problem({errc::idempotency_key_missing,
                    "send an Idempotency-Key header: any text that you will use again only to "
                    "repeat this very request",
                    "Idempotency-Key"});
  if (head.has_idempotency_key && !is_idempotency_key(head.idempotency_key))
    return bad_request("an Idempotency-Key is 1 to 255 visible ASCII characters",
                       "Idempotency-Key");
  out.ask.idempotency_key = head.idempotency_key;
  for (auto [name, tags] :
       {std::pair("If-Match", &head.if_match), std::pair("If-None-Match", &head.if_none_match)})
    if (!tags->empty() && !parse_entity_tags(*tags))
      return bad_request(
          std::string(name) + R"( takes * or ETags with their quotes, e.g. "7" or "7", "8")", name);
  return std::nullopt;
}

admission router::admit(const request_head& head, const authenticator& who) const {
  admission out;
  auto refuse = [&out](response no) -> admission&& {
    out.to = nullptr;
    out.refusal = std::move(no);
    return std::move(out);
  };
  auto target = origin_form(head.target);
  if (target == "*" && head.verb == "OPTIONS")
    return refuse({204, "", "", {{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}}});
  auto question = target.find('?');
  auto path = target.substr(0, question);
  auto query =
      question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  query = query.substr(0, query.find('#'));
  if (path.empty() || path.front() != '/' || path.find('#') != std::string_view::npos)
    return refuse(bad_request("the request target has to be a path that begins with /"));
  std::vector<std::string> segments;
  for (auto raw : split(path)) {
    auto& segment = segments.emplace_back();
    if (!percent_decode(raw, false, segment))
      return refuse(bad_request("the path is not readable: escape it as UTF-8 without U+0000"));
  }
  std::vector<std::size_t> captured;
  auto* at = segments.size() > max_segments ? nullptr : find(*root_, segments, 0, captured);
  if (at == nullptr)
    return refuse(problem({errc::not_found, "there is nothing at this path", {}}));
  if (auto no = choose(head, *at, out))
    return refuse(std::move(*no));
  name_parameters(segments, captured, out);
  auto open = is_open(out.ask.path);
  if (!open)
    if (auto no = authorise(head, who, out))
      return refuse(std::move(*no));
  if (!open && !accepts_json(head.accept))
    return refuse(problem(edge_problem::not_acceptable,
                          "this path answers application/json: let the Accept header allow it",
                          "Accept"));
  if (auto no = check(head, query, out))
    return refuse(std::move(*no));
  out.ask.if_match = head.if_match;
  out.ask.if_none_match = head.if_none_match;
  out.ask.traceparent = head.traceparent;
  return out;
}

} // namespace rahat::http
