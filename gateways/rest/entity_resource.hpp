#pragma once

#include "gateways/http/handler.hpp"
#include "gateways/http/json_body.hpp"
#include "gateways/rest/routes.hpp"
#include "gateways/rest/schema.hpp"
#include "runtime/decider/account.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the resources share: how a request becomes a command, a reply becomes a response and a
/// query becomes a page. Thread-safe, stateless but for the context.
namespace rahat::rest {

using shared_context = std::shared_ptr<const rest_context>;
using roles = std::vector<std::string>;

inline constexpr std::uint32_t default_page = 50;
inline constexpr std::uint32_t max_page = 200;
inline constexpr std::size_t max_cursor_bytes = 512;

/// Bytes of free text the edge lets through; how many characters a field may have is its kind's
/// rule.
inline constexpr std::size_t max_text = 20'000;

/// The serialised command of a kind, or what is wrong with the request.
using command_reader = std::function<std::variant<std::string, error>(const http::request&)>;

/// Reads the JSON body into a command: `read(json_reader&, Command&)`. An empty body counts as {}.
template <class Command, class Read>
command_reader reads(Read read) {
  return [read](const http::request& from) -> std::variant<std::string, error> {
    http::json_reader in(from.body.empty() ? std::string_view("{}") : std::string_view(from.body));
    Command out;
    read(in, out);
    if (auto wrong = in.finish())
      return *wrong;
    return out.SerializeAsString();
  };
}

/// A UUID in a body, as its 16 raw bytes; empty when it is wrong, which `in` has then kept.
std::string require_id(http::json_reader& in, std::string_view name);

/// A day (YYYY-MM-DD) in a body; "" when absent.
std::string optional_date(http::json_reader& in, std::string_view name);

/// The form of an ISO 4217 code; "" when absent.
std::string optional_currency(http::json_reader& in, std::string_view name);

/// Free text within the edge's bound; "" when absent.
std::string optional_text(http::json_reader& in, std::string_view name);

/// The optional "reason" of a verb; deciders want one, so that the journal never holds an empty
/// one.
std::string reason_in(http::json_reader& in);

/// The body `{"reason": "..."}` of the verbs that take one.
inline constexpr std::string_view reason_schema =
    R"({"type":"object","properties":{"reason":{"type":"string"}},"additionalProperties":false})";
inline constexpr std::string_view empty_schema =
    R"({"type":"object","properties":{},"additionalProperties":false})";

/// How entity tags are compared (RFC 9110 8.8.3.2): a weak tag equals none strongly, but its strong
/// twin weakly. If-Match compares strongly, If-None-Match weakly.
enum class comparison { strong, weak };

/// The versions that an If-Match or If-None-Match header names; nothing without a header. Tags that
/// are none of ours are in no version. The router has refused what cannot be read.
std::optional<version_list> versions_in(std::string_view header, comparison how);

/// If-Match on what is about to be made holds for nothing: there is nothing yet.
std::optional<version_list> nothing_yet(std::string_view if_match);

/// A page's bounds from ?limit= and ?cursor=.
struct page_request {
  std::uint32_t limit = default_page;
  std::string cursor;
};
std::variant<page_request, error> page_of(const http::request& from);

/// The two parameters that every list takes, followed by `more`.
std::vector<http::route::parameter> list_parameters(std::vector<http::route::parameter> more = {});

/// `{"items":[...],"next":...}`
http::response page_response(const std::vector<std::string>& items, std::string_view next);

/// A cursor that is a number of ours, e.g. the last line shown; `otherwise` when there is none.
std::variant<std::int64_t, error> number_cursor(std::string_view cursor, std::int64_t otherwise);

/// What a POST answers beyond its reply.
struct reply_shape {
  unsigned success = 200;
  std::string location_prefix; // "/v2/projects/": Location is that and the body's "id"
  std::function<void(std::string& body)> amend;
};

/// Sends a command and answers with its reply. `id` is the request's id.
void submit(const shared_context& with, const http::request& from, const entity_ref& target,
            const uuid& id, std::string command, reply_shape shape, const http::responder& done);

uuid request_id(const http::request& from);

/// Keyed, over everything a client said but the path, which the request id covers.
std::uint64_t payload_hash(const rest_context& with, const http::request& from);

/// The id that a document of ours begins with: {"id":"...", ...}. Empty if it has none.
std::string_view id_in(std::string_view json);

/// ETag, Rahat-Shard and Rahat-Position.
void add_place(http::response& to, std::uint64_t version, shard_id shard, std::uint64_t position);

/// The preconditions of a GET of something that has a version.
class versioned_read {
public:
  explicit versioned_read(const http::request& from);

  /// 412 or 304 where the headers ask for it; nothing: answer with the body and `add_place`.
  std::optional<http::response> settled(const entity_view& found) const;

private:
  std::optional<version_list> wanted_; // If-Match
  std::optional<version_list> seen_;   // If-None-Match
};

/// Errors that say which kind of thing is missing; other errors are passed on as they are.
http::response problem_of(const error& why, std::string_view kind);

/// The routes that every kind has. `kind` is its name, `plural` stands in its paths.
class entity_resource {
public:
  entity_resource(shared_context with, std::string kind, std::string plural, std::string schema);

  /// POST /v2/<plural>: 201 with Location.
  http::route create(std::string summary, roles who, std::string body_schema,
                     command_reader read) const;

  /// POST /v2/<plural>/{id}/<verb>
  http::route act(std::string verb, std::string summary, roles who, std::string body_schema,
                  command_reader read) const;

  /// GET /v2/<plural>/{id} with ETag and 304.
  http::route one(std::string summary) const;

  /// GET /v2/<plural>?project=&status=&<parent>=; "" leaves a filter out.
  http::route list(std::string summary, bool by_project, std::string by_parent,
                   std::span<const std::string_view> statuses) const;

  /// The entity that {id} names; nothing if it is no UUID.
  std::optional<entity_ref> target(const http::request& from) const;
  error unknown() const;

  const shared_context& context() const { return with_; }
  const std::string& tag() const { return plural_; }
  const std::string& schema() const { return schema_; }
  std::string path() const { return "/v2/" + plural_; }

private:
  shared_context with_;
  std::string kind_;
  std::string plural_;
  std::string schema_;
};

/// Reads the entity's view, then goes on with it; unknown ids and failures are answered here.
void with_view(const entity_resource& of, const http::request& from, const http::responder& done,
               std::function<void(entity_view)> then);

/// Asks the entity something that changes nothing, then goes on with the body of its answer;
/// unknown ids and refusals are answered here.
void with_answer(const entity_resource& of, const http::request& from, const http::responder& done,
                 std::string command, std::function<void(std::string body)> then);

// Each kind's part of the table, in a file of its own.
http::route_table project_routes(const shared_context& with);
http::route_table upload_routes(const shared_context& with);
http::route_table batch_routes(const shared_context& with);
http::route_table disbursement_routes(const shared_context& with);
http::route_table vendor_routes(const shared_context& with);
http::route_table redemption_routes(const shared_context& with);
http::route_table settlement_routes(const shared_context& with);

} // namespace rahat::rest
