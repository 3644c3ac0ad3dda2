#pragma once

#include "gateways/http/handler.hpp"
#include "gateways/http/probe.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::http {

/// Who owns a bearer token, or nobody. Called on an io thread for each request: it must answer from
/// memory, must be thread-safe and must not throw.
using authenticator = std::function<std::optional<caller>(std::string_view bearer_token)>;

struct router_options {
  /// Paths that need no token and are answered even while the node is not ready.
  std::vector<std::string> open_paths = {"/health", "/readiness", "/metrics"};
  /// False while the node may not serve (its lease has lapsed, it starts or drains): every path
  /// that is not open then answers 503 not_ready. Empty means always ready. Any thread, no throw.
  std::function<bool()> ready;
};

/// The head of a request as it came over the wire; the views live in the connection's buffer.
struct request_head {
  std::string_view verb; // upper case as received
  std::string_view target;
  std::string_view accept;
  std::string_view content_type;
  std::string_view content_encoding; // "" as well when it is identity
  std::string_view authorization;
  std::string_view idempotency_key;
  std::string if_match; // all lines of the field, joined; "," when it is there but empty
  std::string if_none_match;
  std::string_view traceparent;
  bool has_idempotency_key = false;
  bool has_body = false;
};

/// What the router says about a head: where it goes, or why it is refused.
struct admission {
  const route* to = nullptr; // nullptr: `refusal` is the answer
  request ask;               // everything but the body and the deadline
  std::optional<response> refusal;
  std::string_view label = "-"; // the route's pattern once it is known, for metrics
};

/// The compiled route table: finds, authorises and checks requests. Immutable after construction
/// and therefore shared by all io threads without a lock.
class router {
public:
  /// Throws std::logic_error on a table that contradicts itself (a pattern twice, no handler, an
  /// unnamed parameter): that is a programmer's mistake.
  explicit router(route_table table, router_options options = {});
  ~router();
  router(router&&) noexcept;

  /// Decides about one head. An id in the path is taken in any case and written in lower case from
  /// there on, so that one thing has one path. The order of checks, hence of refusals, is: path
  /// readable (400), route (404), method (501, 405), ready (503), token (401), role (403), Accept
  /// (406), content type and coding (415), query (400), Idempotency-Key (400), If-Match and
  /// If-None-Match readable (400).
  admission admit(const request_head& head, const authenticator& who) const;

  bool ready() const { return !options_.ready || options_.ready(); }

  const route_table& routes() const { return table_; }

private:
  struct node;

  void add(const route& row, std::size_t index);
  const node* find(const node& at, const std::vector<std::string>& segments, std::size_t depth,
                   std::vector<std::size_t>& captured) const;
  void name_parameters(std::vector<std::string>& segments, const std::vector<std::size_t>& captured,
                       admission& out) const;
  bool is_open(std::string_view path) const;
  std::optional<response> choose(const request_head& head, const node& at, admission& out) const;
  std::optional<response> authorise(const request_head& head, const authenticator& who,
                                    admission& out) const;
  std::optional<response> check(const request_head& head, std::string_view raw_query,
                                admission& out) const;
  std::optional<response> check_media(const request_head& head, admission& out) const;
  std::optional<response> check_query(std::string_view raw_query, admission& out) const;

  route_table table_;
  router_options options_;
  std::unique_ptr<node> root_;
};

/// The text form of a method, e.g. "DELETE".
std::string_view to_string(method verb);

} // namespace rahat::http
