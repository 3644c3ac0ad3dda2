#include "gateways/rest/entity_resource.hpp"

#include "gateways/http/entity_tag.hpp"
#include "gateways/rest/json_writer.hpp"
#include "gateways/rest/parse.hpp"

#include <algorithm>
#include <limits>

namespace rahat::rest {

namespace {

std::string_view name_of(http::method verb) {
  return verb == http::method::post ? "POST" : "GET"; // the only ones that /v2 has
}

std::string etag(std::uint64_t version) {
  return '"' + std::to_string(version) + '"';
}

/// The version that a tag of ours stands for; tags are equal byte by byte, so "07" is none.
std::optional<std::uint64_t> version_of(std::string_view opaque) {
  auto version = parse_number<std::uint64_t>(opaque);
  return version && std::to_string(*version) == opaque ? version : std::nullopt;
}

http::response success(wire::Reply& reply, const reply_shape& shape) {
  http::response out;
  auto plain = reply.status() == 200 || reply.status() == 0;
  out.status = plain ? shape.success : reply.status();
  out.body = std::move(*reply.mutable_body());
  if (shape.amend)
    shape.amend(out.body);
  add_place(out, reply.version(), static_cast<shard_id>(reply.shard()), reply.position());
  if (!shape.location_prefix.empty())
    out.headers.emplace_back("Location", shape.location_prefix + std::string(id_in(out.body)));
  return out;
}

error to_error(const wire::Reply& reply) {
  return {static_cast<errc>(reply.error()), reply.message(), reply.field()};
}

/// The word for one thing of a kind, for sentences.
std::string article(std::string_view kind) {
  auto vowel = std::string_view("aeiou").find(kind.empty() ? 'x' : kind.front());
  return (vowel == std::string_view::npos ? "a " : "an ") + std::string(kind);
}

} // namespace

std::string require_id(http::json_reader& in, std::string_view name) {
  auto text = in.require_string(name, 64);
  auto id = uuid::parse(text);
  if (!id || id->is_nil()) {
    in.reject(name, "must be an id such as 3f0e8c1a-52b7-8e4d-9a61-0c2f7b5d4e10");
    return {};
  }
  return id->raw();
}

std::string optional_date(http::json_reader& in, std::string_view name) {
  auto text = in.optional_string(name, 64).value_or("");
  if (!text.empty() && !parse_date(text))
    in.reject(name, "must be a day of the calendar written YYYY-MM-DD, e.g. 2026-11-20");
  return text;
}

std::string optional_currency(http::json_reader& in, std::string_view name) {
  return in.has(name) ? in.require_currency(name) : (in.optional_string(name, 3), "");
}

std::string optional_text(http::json_reader& in, std::string_view name) {
  return in.optional_string(name, max_text).value_or("");
}

std::string reason_in(http::json_reader& in) {
  auto given = optional_text(in, "reason");
  return given.empty() ? "no reason given" : given;
}

std::string_view id_in(std::string_view json) {
  constexpr std::string_view start = R"({"id":")";
  if (!json.starts_with(start))
    return {};
  json.remove_prefix(start.size());
  return json.substr(0, json.find('"'));
}

std::optional<version_list> versions_in(std::string_view header, comparison how) {
  if (header.empty())
    return std::nullopt;
  version_list out;
  auto listed = http::parse_entity_tags(header).value_or(http::entity_tags{});
  out.any = listed.any;
  for (auto& tag : listed.tags)
    if (auto version = version_of(tag.opaque); version && (!tag.weak || how == comparison::weak))
      out.versions.push_back(*version);
  return out;
}

std::optional<version_list> nothing_yet(std::string_view if_match) {
  return if_match.empty() ? std::nullopt : std::optional(version_list());
}

std::variant<page_request, error> page_of(const http::request& from) {
  page_request out;
  if (auto limit = from.query_value("limit")) {
    auto n = parse_number<std::uint32_t>(*limit);
    if (!n || *n < 1 || *n > max_page)
      return error{errc::invalid_input, "limit must be a number from 1 to 200", "limit"};
    out.limit = *n;
  }
  if (auto cursor = from.query_value("cursor")) {
    if (cursor->size() > max_cursor_bytes)
      return error{errc::invalid_input, "use a cursor that a former page gave as \"next\"",
                   "cursor"};
    out.cursor = *cursor;
  }
  return out;
}

std::vector<http::route::parameter> list_parameters(std::vector<http::route::parameter> more) {
  more.insert(more.begin(), {{"limit", "items a page, 1 to 200",
                              R"({"type":"integer","minimum":1,"maximum":200,"default":50})"},
                             {"cursor", "where to go on: `next` of the former page"}});
  return more;
}

http::response page_response(const std::vector<std::string>& items, std::string_view next) {
  std::size_t size = 64 + next.size();
  for (auto& item : items)
    size += item.size() + 1;
  json_writer out(size);
  out.begin_object().begin_array("items");
  for (auto& item : items)
    out.element(std::string_view(item));
  out.end_array().text_or_null("next", next).end_object();
  http::response answer;
  answer.body = out.take();
  return answer;
}

std::variant<std::int64_t, error> number_cursor(std::string_view cursor, std::int64_t otherwise) {
  if (cursor.empty())
    return otherwise;
  // Line and row numbers are 32 bits wide in the store: a larger one was never given out.
  constexpr std::int64_t last = std::numeric_limits<std::int32_t>::max();
  if (auto n = parse_number<std::int64_t>(cursor); n && *n >= 0 && *n <= last)
    return *n;
  return error{errc::invalid_input, "use a cursor that a former page gave as \"next\"", "cursor"};
}

uuid request_id(const http::request& from) {
  return request_id_of(from.who.user, name_of(from.verb), from.path, from.idempotency_key);
}

std::uint64_t payload_hash(const rest_context& with, const http::request& from) {
  std::string query;
  for (auto& [name, value] : from.query) {
    query += name;
    query += '\0'; // in neither: the edge refuses U+0000
    query += value;
    query += '\0';
  }
  return with.trust.payload_hash({from.content_type, query, from.body});
}

void add_place(http::response& to, std::uint64_t version, shard_id shard, std::uint64_t position) {
  to.headers.emplace_back("ETag", etag(version));
  to.headers.emplace_back("Rahat-Shard", std::to_string(shard));
  if (position != 0)
    to.headers.emplace_back("Rahat-Position", std::to_string(position));
}

versioned_read::versioned_read(const http::request& from)
    : wanted_(versions_in(from.if_match, comparison::strong)),
      seen_(versions_in(from.if_none_match, comparison::weak)) {}

std::optional<http::response> versioned_read::settled(const entity_view& found) const {
  if (wanted_ && !wanted_->holds(found.version))
    return http::problem({errc::precondition_failed,
                          "it has another version than If-Match names: leave that out",
                          {}});
  if (!seen_ || !seen_->holds(found.version))
    return std::nullopt;
  http::response same;
  add_place(same, found.version, found.shard, found.position);
  same.status = 304;
  same.content_type.clear();
  return same;
}

http::response problem_of(const error& why, std::string_view kind) {
  if (why.code == errc::not_found && why.message.empty())
    return http::problem(
        {errc::not_found, "there is no " + std::string(kind) + " with this id", why.field});
  return http::problem(why);
}

void submit(const shared_context& with, const http::request& from, const entity_ref& target,
            const uuid& id, std::string command, reply_shape shape, const http::responder& done) {
  rahat::request ask;
  ask.target = target;
  ask.command = std::move(command);
  ask.id = id;
  ask.payload_hash = payload_hash(*with, from);
  ask.who = {from.who.user, from.who.role};
  ask.traceparent = from.traceparent;
  ask.deadline = from.deadline;
  if (shape.location_prefix.empty()) {
    ask.if_match = versions_in(from.if_match, comparison::strong);
    ask.if_none_match = versions_in(from.if_none_match, comparison::weak);
  } else { // whichever entity decides: what is named by Location does not exist before
    ask.if_match = nothing_yet(from.if_match);
  }
  with->entities.ask(std::move(ask), [kind = target.kind, shape = std::move(shape),
                                      done](std::variant<wire::Reply, error> outcome) {
    if (auto* why = std::get_if<error>(&outcome))
      return done(problem_of(*why, kind));
    auto& reply = std::get<wire::Reply>(outcome);
    if (reply.status() == 0 && reply.error() != 0)
      return done(problem_of(to_error(reply), kind));
    done(success(reply, shape));
  });
}

entity_resource::entity_resource(shared_context with, std::string kind, std::string plural,
                                 std::string schema)
    : with_(std::move(with)),
      kind_(std::move(kind)),
      plural_(std::move(plural)),
      schema_(std::move(schema)) {}

std::optional<entity_ref> entity_resource::target(const http::request& from) const {
  auto id = uuid::parse(from.param("id"));
  if (!id)
    return std::nullopt;
  return entity_ref{kind_, *id};
}

error entity_resource::unknown() const {
  return {errc::not_found, "there is no " + kind_ + " with this id", {}};
}

http::route entity_resource::create(std::string summary, roles who, std::string body_schema,
                                    command_reader read) const {
  http::route row;
  row.verb = http::method::post;
  row.pattern = path();
  row.tag = plural_;
  row.summary = std::move(summary);
  row.roles = std::move(who);
  row.needs_idempotency_key = true;
  row.body = http::body_kind::json;
  row.request_schema = std::move(body_schema);
  row.response_schema = schema_;
  row.success = 201;
  row.handle = [with = with_, kind = kind_, prefix = path() + "/", read = std::move(read)](
                   http::request from, http::responder done) {
    auto command = read(from);
    if (auto* wrong = std::get_if<error>(&command))
      return done(http::problem(*wrong));
    auto id = request_id(from);
    submit(with, from, {kind, created_id(kind, id)}, id, std::move(std::get<std::string>(command)),
           {201, prefix, {}}, done);
  };
  return row;
}

http::route entity_resource::act(std::string verb, std::string summary, roles who,
                                 std::string body_schema, command_reader read) const {
  http::route row;
  row.verb = http::method::post;
  row.pattern = path() + "/{id}/" + verb;
  row.tag = plural_;
  row.summary = std::move(summary);
  row.roles = std::move(who);
  row.needs_idempotency_key = true;
  row.body = http::body_kind::json;
  row.request_schema = std::move(body_schema);
  row.response_schema = schema_;
  row.handle = [self = *this, read = std::move(read)](http::request from, http::responder done) {
    auto to = self.target(from);
    if (!to)
      return done(http::problem(self.unknown()));
    auto command = read(from);
    if (auto* wrong = std::get_if<error>(&command))
      return done(http::problem(*wrong));
    submit(self.with_, from, *to, request_id(from), std::move(std::get<std::string>(command)), {},
           done);
  };
  return row;
}

http::route entity_resource::one(std::string summary) const {
  http::route row;
  row.pattern = path() + "/{id}";
  row.tag = plural_;
  row.summary = std::move(summary);
  row.has_etag = true;
  row.response_schema = schema_;
  row.handle = [self = *this](http::request from, http::responder done) {
    with_view(self, from, done, [read = versioned_read(from), done](entity_view found) {
      if (auto settled = read.settled(found))
        return done(std::move(*settled));
      http::response out;
      add_place(out, found.version, found.shard, found.position);
      out.body = *found.json;
      done(std::move(out));
    });
  };
  return row;
}

void with_view(const entity_resource& of, const http::request& from, const http::responder& done,
               std::function<void(entity_view)> then) {
  auto to = of.target(from);
  if (!to)
    return done(http::problem(of.unknown()));
  of.context()->entities.look(
      *to, from.deadline, [done, unknown = of.unknown(), then = std::move(then)](auto outcome) {
        if (auto* why = std::get_if<error>(&outcome))
          return done(http::problem(why->code == errc::not_found ? unknown : *why));
        then(std::move(std::get<entity_view>(outcome)));
      });
}

void with_answer(const entity_resource& of, const http::request& from, const http::responder& done,
                 std::string command, std::function<void(std::string body)> then) {
  auto to = of.target(from);
  if (!to)
    return done(http::problem(of.unknown()));
  rahat::request ask; // without an id: nothing remembers that it was asked
  ask.target = *to;
  ask.command = std::move(command);
  ask.who = {from.who.user, from.who.role};
  ask.traceparent = from.traceparent;
  ask.deadline = from.deadline;
  of.context()->entities.ask(std::move(ask), [done, unknown = of.unknown(), then = std::move(then)](
                                                 std::variant<wire::Reply, error> outcome) {
    if (auto* why = std::get_if<error>(&outcome))
      return done(http::problem(why->code == errc::not_found ? unknown : *why));
    auto& reply = std::get<wire::Reply>(outcome);
    if (reply.status() == 0 && reply.error() != 0)
      return done(http::problem(to_error(reply)));
    then(std::move(*reply.mutable_body()));
  });
}

namespace {

/// Reads ?project=, ?<parent>= and ?status= into the query.
std::optional<error> read_filters(const http::request& from, const std::string& parent,
                                  const std::vector<std::string>& statuses, list_query& out) {
  auto id_of = [&](std::string_view name, std::optional<uuid>& to) -> std::optional<error> {
    auto text = from.query_value(name);
    if (!text)
      return std::nullopt;
    to = uuid::parse(*text);
    if (!to)
      return error{errc::invalid_input, std::string(name) + " must be the id of " + article(name),
                   std::string(name)};
    return std::nullopt;
  };
  if (auto wrong = id_of("project", out.project))
    return wrong;
  if (auto wrong = parent.empty() ? std::nullopt : id_of(parent, out.parent))
    return wrong;
  auto status = from.query_value("status");
  if (!status)
    return std::nullopt;
  if (std::find(statuses.begin(), statuses.end(), *status) == statuses.end()) {
    std::string all;
    for (auto& word : statuses)
      all += (all.empty() ? "" : ", ") + word;
    return error{errc::invalid_input, "status must be one of: " + all, "status"};
  }
  out.status = std::string(*status);
  return std::nullopt;
}

} // namespace

http::route entity_resource::list(std::string summary, bool by_project, std::string by_parent,
                                  std::span<const std::string_view> statuses) const {
  http::route row;
  row.pattern = path();
  row.tag = plural_;
  row.summary = std::move(summary);
  row.response_schema = list_schema(schema_);
  std::vector<http::route::parameter> filters;
  auto id = type_schema("id");
  if (by_project)
    filters.push_back({"project", "only those of this project", id});
  if (!by_parent.empty())
    filters.push_back({by_parent, "only those of this " + by_parent, id});
  if (!statuses.empty())
    filters.push_back({"status", "only those in this status", one_of_schema(statuses)});
  row.query = list_parameters(std::move(filters));
  row.handle = [with = with_, kind = kind_, by_parent = std::move(by_parent),
                words = std::vector<std::string>(statuses.begin(), statuses.end())](
                   http::request from, http::responder done) {
    auto bounds = page_of(from);
    if (auto* wrong = std::get_if<error>(&bounds))
      return done(http::problem(*wrong));
    list_query ask;
    ask.kind = kind;
    ask.limit = std::get<page_request>(bounds).limit;
    ask.cursor = std::move(std::get<page_request>(bounds).cursor);
    if (auto wrong = read_filters(from, by_parent, words, ask))
      return done(http::problem(*wrong));
    with->queries.list(std::move(ask), [done](std::variant<page, error> outcome) {
      if (auto* why = std::get_if<error>(&outcome))
        return done(http::problem(*why));
      auto& found = std::get<page>(outcome);
      done(page_response(found.items, found.next));
    });
  };
  return row;
}

http::route_table make_routes(const rest_context& context) {
  auto with = std::make_shared<const rest_context>(context);
  http::route_table table;
  for (auto part : {&project_routes, &upload_routes, &batch_routes, &disbursement_routes,
                    &vendor_routes, &redemption_routes, &settlement_routes})
    for (auto& row : part(with))
      table.push_back(std::move(row));
  return table;
}

} // namespace rahat::rest
