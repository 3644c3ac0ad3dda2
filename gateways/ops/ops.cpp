#include "gateways/ops/ops.hpp"

#include "gateways/ops/internal_route.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <memory>

namespace rahat::ops {

namespace {

namespace json = boost::json;
using http::method;
using http::request;
using http::responder;
using http::response;

using shared_context = std::shared_ptr<const context>;

json::object to_json(const audit_finding& f) {
  return {{"shard", f.shard},
          {"position", f.position},
          {"entity", f.entity.str()},
          {"type", f.type},
          {"what", f.what}};
}

json::object to_json(const verify_report& v) {
  json::object out{{"ok", v.ok},
                   {"rows", v.rows},
                   {"transfers", v.transfers},
                   {"signed_heads", v.signed_heads},
                   {"seconds", v.seconds},
                   {"first_bad", nullptr}};
  if (v.first_bad)
    out["first_bad"] = to_json(*v.first_bad);
  return out;
}

json::object to_json(const books_report& b) {
  json::array differences;
  for (auto& d : b.differences)
    differences.push_back(json::object{{"owner", d.owner.str()},
                                       {"currency", d.currency},
                                       {"known_minor", d.known_minor},
                                       {"unapplied_minor", d.unapplied_minor},
                                       {"transfers_minor", d.transfers_minor}});
  return {{"imbalance_minor", b.imbalance_minor},
          {"owners_checked", b.owners},
          {"transfers", b.transfers},
          {"moved_minor", b.moved_minor},
          {"complete", b.complete},
          {"at", b.at_us == 0 ? json::value(nullptr) : json::value(rfc3339(b.at_us))},
          {"differences", std::move(differences)}};
}

response readiness(const context& c) {
  json::array checks;
  bool ready = true;
  for (auto& check : c.readiness()) {
    ready = ready && check.ok;
    checks.push_back(
        json::object{{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}});
  }
  auto reply =
      json_reply(json::object{{"ready", ready}, {"checks", std::move(checks)}}, ready ? 200 : 503);
  if (!ready)
    reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

response actors(const context& c) {
  json::array tree;
  for (auto& n : c.actors())
    tree.push_back(json::object{{"path", n.path},
                                {"kind", n.kind},
                                {"state", n.state},
                                {"restarts", n.restarts},
                                {"since", rfc3339(n.since_us)},
                                {"health", n.health},
                                {"last_error", n.last_error}});
  json::array entities;
  for (auto& e : c.entities(max_rows))
    entities.push_back(json::object{{"entity", e.entity},
                                    {"in_flight", e.in_flight},
                                    {"failures", e.failures},
                                    {"parked", e.parked}});
  return json_reply(json::object{{"actors", std::move(tree)}, {"entities", std::move(entities)}});
}

/// The id of a row that a former page ended with.
std::optional<std::uint64_t> parked_after(const std::string& cursor) {
  if (cursor.empty())
    return 0;
  std::int64_t id = 0;
  auto* end = cursor.data() + cursor.size();
  auto [rest, failed] = std::from_chars(cursor.data(), end, id);
  if (failed != std::errc{} || rest != end || id < 0)
    return std::nullopt;
  return static_cast<std::uint64_t>(id);
}

void list_parked(const context& c, const request& from, const responder& done) {
  auto ask = page_of(from);
  if (auto* wrong = std::get_if<error>(&ask))
    return done(http::problem(*wrong));
  const auto limit = std::get<page_ask>(ask).limit;
  auto after = parked_after(std::get<page_ask>(ask).cursor);
  if (!after)
    return done(http::problem(unknown_cursor()));
  c.db->parked(*after, limit, [done, limit](outcome<std::vector<parked_row>> rows) {
    if (auto* e = std::get_if<error>(&rows))
      return done(http::problem(*e));
    auto& found = std::get<std::vector<parked_row>>(rows);
    json::array items;
    for (auto& p : found)
      items.push_back(json::object{{"id", p.id},
                                   {"entity", p.entity.str()},
                                   {"reason", p.reason},
                                   {"tries", p.tries},
                                   {"at", rfc3339(p.at_us)},
                                   {"message_bytes", p.body.size()}});
    const bool more = found.size() == limit;
    done(json_reply(json::object{
        {"parked", std::move(items)},
        {"next", more ? json::value(std::to_string(found.back().id)) : json::value(nullptr)}}));
  });
}

/// Releases everything that is parked for one entity, then tells it: whoever takes over its shard
/// in between finds it free.
void release_parked(const shared_context& c, const request& ask, const responder& done) {
  auto id = uuid::parse(ask.param("id"));
  if (!id)
    return done(http::problem({errc::invalid_input, "the id of an entity is a UUID", "id"}));
  entity_ref entity{std::string{ask.param("kind")}, *id};
  c->db->release(entity, [c, entity, done](outcome<std::uint64_t> rows) {
    if (auto* e = std::get_if<error>(&rows))
      return done(http::problem(*e));
    const auto released = std::get<std::uint64_t>(rows);
    if (released == 0)
      return done(http::problem({errc::not_found, entity.str() + " is not parked", {}}));
    c->release(entity);
    done(json_reply(json::object{{"released", entity.str()}, {"messages", released}}));
  });
}

/// ?recount=true asks for minutes of work: what is not clearly said is not guessed.
void books(const shared_context& c, const request& ask, const responder& done) {
  const auto said = ask.query_value("recount").value_or("false");
  if (said != "true" && said != "false")
    return done(http::problem({errc::invalid_input, "recount must be true or false", "recount"}));
  answer_later(c->in_audits, done, [c, all = said == "true"] {
    return json_reply(to_json(all ? c->audit->recount() : c->audit->books()));
  });
}

response doctor(const context& c) {
  json::array checks;
  bool ok = true;
  for (auto& f : c.doctor()) {
    ok = ok && !f.refuses;
    checks.push_back(json::object{
        {"name", f.name}, {"ok", false}, {"refuses", f.refuses}, {"detail", f.sentence}});
  }
  if (checks.empty())
    checks.push_back(json::object{
        {"name", "database"}, {"ok", true}, {"refuses", false}, {"detail", "all is well"}});
  return json_reply(json::object{{"ok", ok}, {"checks", std::move(checks)}});
}

} // namespace

http::route_table make_routes(context supplied) {
  // Handlers outlive this call, and what they wait for may outlive the listener.
  auto c = std::make_shared<const context>(std::move(supplied));
  http::route_table routes;
  auto get = [&](const char* pattern, const char* summary, auto handle) {
    routes.push_back(internal_route(method::get, pattern, summary, std::move(handle)));
  };
  get("/health", "The process answers.", [c](const request&, const responder& done) {
    done(json_reply(json::object{{"status", "up"}, {"version", c->version}}));
  });
  get("/readiness", "The node may serve: Postgres, lease, writers, shards, member.",
      [c](const request&, const responder& done) { done(readiness(*c)); });
  get("/metrics", "Prometheus metrics.", [c](const request&, const responder& done) {
    response r;
    r.content_type = "text/plain; version=0.0.4; charset=utf-8";
    r.body = c->metrics();
    done(std::move(r));
  });
  get("/internal/v1/actors", "The supervision tree, and entities in memory.",
      [c](const request&, const responder& done) { done(actors(*c)); });
  get("/internal/v1/parked", "What waits for an operator, oldest first.",
      [c](const request& ask, const responder& done) { list_parked(*c, ask, done); });
  routes.back().query = page_parameters();
  get("/internal/v1/books", "Known balances against transfers.",
      [c](const request& ask, const responder& done) { books(c, ask, done); });
  routes.back().query = {{"recount", "true: count every transfer anew", R"({"type":"boolean"})"}};
  get("/internal/v1/audit/verify", "Recomputes the hash chain.",
      [c](const request&, const responder& done) {
        answer_later(c->in_audits, done, [c] { return json_reply(to_json(c->audit->verify({}))); });
      });
  get("/internal/v1/doctor", "Risks of the database and the host.",
      [c](const request&, const responder& done) {
        answer_later(c->in_background, done, [c] { return doctor(*c); });
      });
  routes.push_back(internal_route(
      method::post, "/internal/v1/parked/{kind}/{id}/release", "Puts a parked entity back to work.",
      [c](const request& ask, const responder& done) { release_parked(c, ask, done); }));
  for (auto& one : token_routes(c->tokens, c->in_background))
    routes.push_back(std::move(one));
  if (c->members != nullptr)
    for (auto& one : cluster_routes(*c->members))
      routes.push_back(std::move(one));
  return routes;
}

} // namespace rahat::ops
