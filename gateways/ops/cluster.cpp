#include "gateways/ops/cluster.hpp"

#include "gateways/ops/internal_route.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

namespace rahat::ops {

namespace {

namespace json = boost::json;
using cluster::member;
using cluster::member_status;
using http::method;
using http::request;
using http::responder;

constexpr std::int64_t us_per_ms = 1'000;

http::response refuse(errc code, std::string why) {
  return http::problem({code, std::move(why), {}});
}

http::response database_away() {
  return refuse(errc::unavailable, "the database does not answer: nothing was changed");
}

/// Whose shards are whose, by the rows: only the running incarnation of a member serves.
struct ownership {
  std::map<uuid, std::vector<shard_id>> by_node;
  std::vector<shard_id> unowned;  // released, or never taken
  std::vector<shard_id> orphaned; // of somebody who does not run any more, not yet taken over

  explicit ownership(const cluster_reading& seen) {
    for (shard_id shard = 0; shard < shard_count; ++shard) {
      const auto& place = seen.shards[shard];
      const auto* owner = seen.now.find(place.owner);
      if (place.owner.node.is_nil())
        unowned.push_back(shard);
      else if (owner == nullptr || !owner->alive() || !place.this_generation)
        orphaned.push_back(shard);
      else
        by_node[place.owner.node].push_back(shard);
    }
  }

  std::size_t of(const uuid& node) const {
    const auto found = by_node.find(node);
    return found == by_node.end() ? 0 : found->second.size();
  }
};

/// On the database's clock; without it nobody can say.
json::value lease_of(const member& m, const cluster_facts& f) {
  if (!f.database_answers || !m.alive())
    return nullptr;
  const auto left = m.lease_until_us - f.seen.database_now_us;
  return json::object{{"age_ms", (f.lease_ttl_us - left) / us_per_ms},
                      {"left_ms", left / us_per_ms},
                      // further ahead: written before the database's clock was set back
                      {"runs", left > 0 && left <= 2 * f.lease_ttl_us}};
}

json::value link_of(const member& m, const cluster_facts& f) {
  const auto found = std::find_if(f.links.begin(), f.links.end(),
                                  [&](const auto& l) { return l.peer == m.node_uuid; });
  if (found == f.links.end() || m.node_uuid == f.self.node || !m.alive())
    return nullptr;
  return json::object{{"state", found->state},
                      {"since", found->since_us == 0 ? json::value(nullptr)
                                                     : json::value(rfc3339(found->since_us))},
                      {"reachable", found->reachable},
                      {"rtt_us", found->rtt_us},
                      {"bytes_in", found->bytes_in},
                      {"bytes_out", found->bytes_out},
                      {"bytes_unconfirmed", found->bytes_unconfirmed},
                      {"bytes_waiting", found->bytes_waiting},
                      {"last_trouble", found->last_trouble}};
}

std::size_t phase_count(const cluster_facts& f, std::string_view name) {
  for (const auto& p : f.phases)
    if (p.name == name)
      return p.shards;
  return 0;
}

std::string address_of(const member& m) {
  return m.address.empty() ? "" : m.address + ":" + std::to_string(m.port);
}

json::object member_json(const member& m, const cluster_facts& f, const ownership& shards) {
  const bool self = m.id() == f.self;
  json::object out{{"uuid", m.node_uuid.str()},
                   {"name", m.name},
                   {"incarnation", m.incarnation},
                   {"status", cluster::to_string(m.status)},
                   {"why", m.why},
                   {"address", address_of(m)},
                   {"operators", m.operators},
                   {"build", m.build},
                   {"build_level", m.build_level},
                   {"feature_level", m.feature_level},
                   {"lease", lease_of(m, f)},
                   {"shards_owned", shards.of(m.node_uuid)},
                   {"shards_open", nullptr},
                   {"link", link_of(m, f)}};
  if (self) // of others only they know
    out["shards_open"] = phase_count(f, "open");
  return out;
}

json::array numbers(const std::vector<shard_id>& shards) {
  json::array out;
  for (auto s : shards)
    out.emplace_back(s);
  return out;
}

json::object shards_json(const ownership& shards) {
  json::object by_node;
  for (const auto& [node, owned] : shards.by_node)
    by_node[node.str()] = numbers(owned);
  return {{"total", shard_count},
          {"owned", shard_count - shards.unowned.size() - shards.orphaned.size()},
          {"unowned", numbers(shards.unowned)},
          {"orphaned", numbers(shards.orphaned)},
          {"by_node", std::move(by_node)}};
}

json::object moves_json(const cluster_facts& f) {
  json::object here;
  for (const auto& p : f.phases)
    if (p.name != "open" && p.name != "away")
      here[p.name] = p.shards;
  return {{"misplaced", f.misplaced}, {"here", std::move(here)}};
}

json::array votes_json(const cluster_facts& f) {
  json::array out;
  for (const auto& v : f.seen.votes)
    out.push_back(json::object{
        {"voter", v.voter.str()},
        {"against", v.against.str()},
        {"age_ms", f.database_answers
                       ? json::value((f.seen.database_now_us - v.written_us) / us_per_ms)
                       : json::value(nullptr)}});
  return out;
}

json::object to_json(const cluster_facts& f) {
  const ownership shards{f.seen};
  auto members = f.seen.now.members;
  std::sort(members.begin(), members.end(),
            [](const member& a, const member& b) { return a.node_uuid < b.node_uuid; });
  json::array rows;
  for (const auto& m : members)
    rows.push_back(member_json(m, f, shards));
  return {{"node", f.self.node.str()},
          {"incarnation", f.self.incarnation},
          {"clustered", f.clustered},
          {"database_answers", f.database_answers},
          {"database_time", f.database_answers ? json::value(rfc3339(f.seen.database_now_us))
                                               : json::value(nullptr)},
          {"view_version", f.seen.now.version},
          {"feature_level", f.seen.now.feature_level},
          {"members", std::move(rows)},
          {"shards", shards_json(shards)},
          {"moves", moves_json(f)},
          {"votes", votes_json(f)}};
}

// -- drain ------------------------------------------------------------------------------------

bool lease_runs(const member& m, const cluster_facts& f) {
  const auto left = m.lease_until_us - f.seen.database_now_us;
  return left > 0 && left <= 2 * f.lease_ttl_us;
}

/// Why the wish cannot be had; nothing if it can.
std::optional<error> objection(const cluster_facts& f, const uuid& node, bool drain) {
  if (!f.clustered)
    return error{errc::wrong_status,
                 "this node is alone ([cluster] is not set): there is nobody to take its shards; "
                 "to stop it is enough",
                 {}};
  if (!f.database_answers)
    return error{errc::unavailable, "the database does not answer: nothing was changed", {}};
  const auto* m = f.seen.now.find(node);
  if (m == nullptr)
    return error{errc::not_found, "no member has the id " + node.str(), {}};
  if (!m->alive())
    return error{errc::wrong_status,
                 "node " + m->name + " is " + std::string{cluster::to_string(m->status)} +
                     ": it owns nothing that could move",
                 {}};
  const bool taker =
      std::any_of(f.seen.now.members.begin(), f.seen.now.members.end(), [&](const member& other) {
        return other.active() && other.node_uuid != node && lease_runs(other, f);
      });
  if (drain && !taker)
    return error{errc::wrong_status,
                 "node " + m->name +
                     " is the last active member: nobody would take its shards; start another "
                     "node first",
                 {}};
  return std::nullopt;
}

void wish(cluster_port& port, const request& ask, bool drain, const responder& done) {
  const auto node = uuid::parse(ask.param("uuid"));
  if (!node)
    return done(http::problem({errc::invalid_input, "the id of a node is a UUID", "uuid"}));
  port.look([&port, node = *node, drain, done](const cluster_facts& f) {
    if (auto why = objection(f, node, drain))
      return done(http::problem(*why));
    const auto* m = f.seen.now.find(node);
    json::object answer{{"uuid", node.str()},
                        {"name", m->name},
                        {"drain", drain},
                        {"shards_owned", ownership{f.seen}.of(node)}};
    port.wish(node, drain, [answer, done](const std::variant<swap, error>& said) {
      if (auto* e = std::get_if<error>(&said))
        return done(http::problem(*e));
      if (std::get<swap>(said) != swap::done)
        return done(refuse(errc::wrong_status, "the node has ended meanwhile"));
      done(json_reply(answer));
    });
  });
}

// -- finish-upgrade ---------------------------------------------------------------------------

/// "n2 (rahatd 2.0.0, level 1)", of the running members that read no more than `level`.
std::string at_most(const cluster::view& now, std::int32_t level) {
  std::string out;
  for (const auto& m : now.alive())
    if (m.build_level <= level)
      out += (out.empty() ? "" : ", ") + m.name + " (" + m.build + ", level " +
             std::to_string(m.build_level) + ")";
  return out;
}

void finish_upgrade(cluster_port& port, const responder& done) {
  port.look([&port, done](const cluster_facts& f) {
    const auto alive = f.seen.now.alive();
    if (!f.database_answers || alive.empty())
      return done(database_away());
    const auto by_level = [](const member& a, const member& b) {
      return a.build_level < b.build_level;
    };
    const auto least = std::min_element(alive.begin(), alive.end(), by_level)->build_level;
    const auto most = std::max_element(alive.begin(), alive.end(), by_level)->build_level;
    const auto had = f.seen.now.feature_level;
    if (least <= had && most > had)
      return done(refuse(errc::wrong_status,
                         "behind: " + at_most(f.seen.now, had) +
                             ". Upgrade or stop them first: the cluster stays at level " +
                             std::to_string(had)));
    if (least <= had)
      return done(json_reply(json::object{{"raised", false}, {"feature_level", had}}));
    port.raise_level(least, [had, least, done](const std::variant<std::string, error>& said) {
      if (auto* e = std::get_if<error>(&said))
        return done(http::problem(*e));
      if (auto& behind = std::get<std::string>(said); !behind.empty())
        return done(refuse(errc::wrong_status, behind));
      done(json_reply(
          json::object{{"raised", true}, {"feature_level", least}, {"former_level", had}}));
    });
  });
}

} // namespace

http::route_table cluster_routes(cluster_port& port) {
  auto* p = &port;
  return {
      internal_route(method::get, "/internal/v1/cluster",
                     "Members, leases, shards and links, as this node sees them.",
                     [p](request, responder done) {
                       p->look([done](const cluster_facts& f) { done(json_reply(to_json(f))); });
                     }),
      internal_route(method::post, "/internal/v1/cluster/members/{uuid}/drain",
                     "Asks a node to give its shards away and stay.",
                     [p](request ask, responder done) { wish(*p, ask, true, done); }),
      internal_route(method::post, "/internal/v1/cluster/members/{uuid}/undrain",
                     "Takes that back: it gets shards again.",
                     [p](request ask, responder done) { wish(*p, ask, false, done); }),
      internal_route(method::post, "/internal/v1/cluster/finish-upgrade",
                     "Raises the feature level to what every running member reads.",
                     [p](request, responder done) { finish_upgrade(*p, done); })};
}

} // namespace rahat::ops
