#pragma once

#include "runtime/decider/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a resource (gateways/rest) and the HTTP server (gateways/http) say to one another. Neither
/// Beast nor CAF is visible here, so resources compile quickly and can be tested without a socket.
namespace rahat::http {

enum class method { get, post, put, patch, del };

/// Who is asking: the owner of the bearer token.
struct caller {
  std::string user; // stable user name, e.g. "asha"
  std::string role; // admin | maker | checker | operator | reader
};

/// One parsed request. Lives on the session's thread until its responder was called.
struct request {
  method verb = method::get;
  std::string path;                                        // concrete path, decoded, no query
  std::vector<std::pair<std::string, std::string>> params; // {id} etc. of the route's pattern
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string content_type;                                // lower case, without parameters
  std::string idempotency_key;
  std::string if_match;
  std::string if_none_match;
  std::string traceparent;
  std::string body; // empty on a streaming route
  caller who;
  std::chrono::steady_clock::time_point deadline;

  /// The value of a path parameter; the route pattern guarantees that it is there.
  std::string_view param(std::string_view name) const;

  /// The first value of a query parameter.
  std::optional<std::string_view> query_value(std::string_view name) const;
};

struct response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Called exactly once, from any thread; a responder that is destroyed uncalled answers 503.
class responder {
public:
  explicit responder(std::function<void(response)> deliver);
  void operator()(response answer) const;

private:
  struct once;
  std::shared_ptr<once> once_;
};

/// An RFC 9457 problem: `{"type","title","status","detail","code","field"?}` with
/// type = https://rahat.io/problems/<errc>. Adds Retry-After to those that may be retried.
response problem(const error& e);
unsigned status_of(errc code);

/// Takes a body that is too long for memory piece by piece. All calls come one after another: the
/// server reads the next piece only after `proceed` was called (back pressure by TCP).
class body_reader {
public:
  virtual ~body_reader() = default;

  /// `proceed(true)` asks for more; `proceed(false)` stops reading, `finish` follows at once.
  virtual void on_bytes(std::string_view piece, std::function<void(bool)> proceed) = 0;

  /// The body has ended; `complete` is false when the client broke off or `proceed(false)` was
  /// said.
  virtual void finish(bool complete, responder done) = 0;
};

enum class body_kind { none, json, stream };

/// One row of the route table: it routes, it authorises, and the OpenAPI document is written from
/// it. Patterns look like "/v2/projects/{id}/activate".
struct route {
  method verb = method::get;
  std::string pattern;
  std::string tag;                // e.g. "projects"
  std::string summary;            // one sentence for OpenAPI
  std::vector<std::string> roles; // who may call; empty = every valid token; admin always may
  bool needs_idempotency_key = false;
  bool has_etag = false; // of a GET: replies carry one, and If-None-Match is answered with 304
  body_kind body = body_kind::none;
  std::vector<std::string> content_types = {"application/json"}; // accepted request types
  std::string request_schema;  // JSON Schema text of the request body, "" if none
  std::string response_schema; // JSON Schema text of the 2xx body
  unsigned success = 200;
  struct parameter {
    std::string name;
    std::string description;
    std::string schema = R"({"type":"string"})";
  };
  std::vector<parameter> query; // documented and checked: an unknown query parameter is a 400
  std::function<void(request, responder)> handle;                     // body none or json
  std::function<std::unique_ptr<body_reader>(request)> handle_stream; // body stream
};

using route_table = std::vector<route>;

} // namespace rahat::http
