#include "gateways/ops/ops.hpp"

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
using http::route;

constexpr std::uint32_t max_rows = 1'000;

response json_reply(const json::value& body, unsigned status = 200) {
  response r;
  r.status = status;
  r.body = json::serialize(body);
  return r;
}

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

route get(std::string pattern, std::string summary,
          std::function<void(request, responder)> handle) {
  route r;
  r.pattern = std::move(pattern);
  r.tag = "internal";
  r.summary = std::move(summary);
  r.roles = {"operator"};
  r.handle = std::move(handle);
  return r;
}

/// Runs `work` on the background worker and answers with what it returns.
template <class Work>
void answer_later(const context& c, responder done, Work work) {
  c.in_background([done, work = std::move(work)] {
    try {
      done(work());
    } catch (const std::exception& e) {
      done(http::problem({errc::unavailable, e.what(), {}}));
    }
  });
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

void list_parked(const context& c, const responder& done) {
  c.db->parked(max_rows, [done](outcome<std::vector<parked_row>> rows) {
    if (auto* e = std::get_if<error>(&rows))
      return done(http::problem(*e));
    json::array items;
    for (auto& p : std::get<std::vector<parked_row>>(rows))
      items.push_back(json::object{{"id", p.id},
                                   {"entity", p.entity.str()},
                                   {"reason", p.reason},
                                   {"tries", p.tries},
                                   {"at", rfc3339(p.at_us)},
                                   {"message_bytes", p.body.size()}});
    done(json_reply(json::object{{"parked", std::move(items)}}));
  });
}

/// The rows go one by one, then the entity is told: whoever takes over its shard in between finds
/// it parked or free, and free in the end. What fails leaves rows behind, to be released again.
void release_rows(const context& c, const entity_ref& entity,
                  std::shared_ptr<const std::vector<std::uint64_t>> ids, std::size_t next,
                  const responder& done) {
  if (next == ids->size()) {
    c.release(entity);
    return done(json_reply(json::object{{"released", entity.str()}, {"messages", ids->size()}}));
  }
  c.db->release((*ids)[next],
                [&c, entity, ids, next, done](outcome<std::optional<parked_row>> gone) {
                  if (auto* e = std::get_if<error>(&gone))
                    return done(http::problem(*e));
                  release_rows(c, entity, ids, next + 1, done);
                });
}

/// Releases everything that is parked for one entity and lets it try again.
void release_parked(const context& c, const request& ask, const responder& done) {
  auto id = uuid::parse(ask.param("id"));
  if (!id)
    return done(http::problem({errc::invalid_input, "the id of an entity is a UUID", "id"}));
  entity_ref entity{std::string{ask.param("kind")}, *id};
  c.db->parked(max_rows, [&c, entity, done](outcome<std::vector<parked_row>> rows) {
    if (auto* e = std::get_if<error>(&rows))
      return done(http::problem(*e));
    auto ids = std::make_shared<std::vector<std::uint64_t>>();
    for (auto& row : std::get<std::vector<parked_row>>(rows))
      if (row.entity == entity)
        ids->push_back(row.id);
    if (ids->empty())
      return done(http::problem({errc::not_found, entity.str() + " is not parked", {}}));
    release_rows(c, entity, ids, 0, done);
  });
}

response create_token(const context& c, const std::string& body) {
  boost::system::error_code failed;
  auto parsed = json::parse(body, failed);
  auto* fields = failed ? nullptr : parsed.if_object();
  auto text = [&](const char* name) -> std::string {
    auto* value = fields == nullptr ? nullptr : fields->if_contains(name);
    return value != nullptr && value->is_string() ? std::string{value->as_string()} : "";
  };
  if (fields == nullptr)
    return http::problem({errc::malformed_body, R"(send {"user": "asha", "role": "maker"})", {}});
  auto made = c.create_token(text("user"), text("role"));
  if (auto* e = std::get_if<error>(&made))
    return http::problem(*e);
  return json_reply(
      json::object{
          {"user", text("user")}, {"role", text("role")}, {"token", std::get<std::string>(made)}},
      201);
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

http::route_table make_routes(context shared) {
  // Handlers outlive this call; they share one context.
  auto c = std::make_shared<const context>(std::move(shared));
  http::route_table routes;
  routes.push_back(get("/health", "The process answers.", [c](request, responder done) {
    done(json_reply(json::object{{"status", "up"}, {"version", c->version}}));
  }));
  routes.push_back(get("/readiness", "The node may serve: Postgres, lease, writers.",
                       [c](request, responder done) { done(readiness(*c)); }));
  routes.push_back(get("/metrics", "Prometheus metrics.", [c](request, responder done) {
    response r;
    r.content_type = "text/plain; version=0.0.4; charset=utf-8";
    r.body = c->metrics();
    done(std::move(r));
  }));
  routes.push_back(get("/internal/v1/actors", "The supervision tree, and entities in memory.",
                       [c](request, responder done) { done(actors(*c)); }));
  routes.push_back(get("/internal/v1/parked", "What waits for an operator.",
                       [c](request, responder done) { list_parked(*c, done); }));
  routes.push_back(get(
      "/internal/v1/books", "Known balances against transfers.", [c](request ask, responder done) {
        bool all = ask.query_value("recount") == "true";
        answer_later(*c, done, [c, all] {
          return json_reply(to_json(all ? c->audit->recount() : c->audit->books()));
        });
      }));
  routes.back().query = {{"recount", "true: count every transfer anew", R"({"type":"boolean"})"}};
  routes.push_back(
      get("/internal/v1/audit/verify", "Recomputes the hash chain.", [c](request, responder done) {
        answer_later(*c, done, [c] { return json_reply(to_json(c->audit->verify({}))); });
      }));
  routes.push_back(
      get("/internal/v1/doctor", "Risks of the database and the host.",
          [c](request, responder done) { answer_later(*c, done, [c] { return doctor(*c); }); }));

  auto release =
      get("/internal/v1/parked/{kind}/{id}/release", "Puts a parked entity back to work.",
          [c](request ask, responder done) { release_parked(*c, ask, done); });
  release.verb = method::post;
  routes.push_back(std::move(release));

  auto tokens =
      get("/internal/v1/tokens", "Makes an access token.", [c](request ask, responder done) {
        answer_later(*c, done, [c, body = std::move(ask.body)] { return create_token(*c, body); });
      });
  tokens.verb = method::post;
  tokens.roles = {"admin"};
  tokens.body = http::body_kind::json;
  tokens.success = 201;
  routes.push_back(std::move(tokens));
  if (c->members != nullptr)
    for (auto& one : cluster_routes(*c->members))
      routes.push_back(std::move(one));
  return routes;
}

} // namespace rahat::ops
