#include "apps/rahatctl/cluster.hpp"
#include "apps/rahatctl/output.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ostream>

namespace rahat::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t short_id_digits = 8;
constexpr std::int64_t ms = 1'000;
constexpr std::int64_t second = 1'000 * ms;
constexpr std::int64_t minute = 60 * second;

std::string text(const json::value& of, std::string_view name) {
  const auto* found = member(of, name);
  return found != nullptr && found->is_string() ? plain(*found) : "";
}

std::int64_t count(const json::value& of, std::string_view name) {
  return number(member(of, name)).value_or(0);
}

std::size_t length(const json::value& of, std::string_view name) {
  const auto* found = member(of, name);
  return found != nullptr && found->is_array() ? found->get_array().size() : 0;
}

json::value part(const json::value& of, std::string_view name) {
  const auto* found = member(of, name);
  return found != nullptr ? *found : json::value(nullptr);
}

bool gone(const json::value& m) {
  const auto status = text(m, "status");
  return status == "left" || status == "dead";
}

std::string name_of(const json::value& m) {
  const auto name = text(m, "name");
  return name.empty() ? text(m, "uuid").substr(0, short_id_digits) : name;
}

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string lease_text(const json::value& m) {
  const auto lease = part(m, "lease");
  if (!lease.is_object())
    return "-";
  const auto left = count(lease, "left_ms") * ms;
  return is_true(member(lease, "runs")) ? short_time(left) + " left"
                                        : "LAPSED " + short_time(std::abs(left));
}

std::string link_text(const json::value& m, bool self) {
  if (self)
    return "this node";
  const auto link = part(m, "link");
  if (!link.is_object())
    return "-";
  const auto state = text(link, "state");
  if (state != "up")
    return state;
  return is_true(member(link, "reachable")) ? "up, " + short_time(count(link, "rtt_us"))
                                            : "up, SILENT";
}

json::object row_of(const json::value& m, const std::string& self) {
  const bool mine = text(m, "uuid") == self;
  json::object row{{"name", name_of(m)},
                   {"node", text(m, "uuid").substr(0, short_id_digits)},
                   {"start", count(m, "incarnation")},
                   {"status", text(m, "status")},
                   {"shards", count(m, "shards_owned")},
                   {"lease", lease_text(m)},
                   {"link", link_text(m, mine)}};
  row["address"] = or_dash(text(m, "address"));
  row["operators"] = or_dash(text(m, "operators"));
  row["build"] = text(m, "build") + " (" + std::to_string(count(m, "build_level")) + ")";
  return row;
}

/// "draining 2, taking 1" of this node.
std::string under_way(const json::value& moves) {
  std::string out;
  const auto here = part(moves, "here");
  if (here.is_object())
    for (const auto& phase : here.get_object())
      if (auto shards = number(&phase.value()); shards.value_or(0) > 0)
        out += (out.empty() ? "" : ", ") + std::string{phase.key()} + " " + std::to_string(*shards);
  return out;
}

void print_votes(std::ostream& out, const json::value& cluster) {
  const auto votes = part(cluster, "votes");
  if (!votes.is_array())
    return;
  for (const auto& v : votes.get_array()) {
    const auto age = number(member(v, "age_ms"));
    out << "vote: " << text(v, "voter") << " against " << text(v, "against")
        << (age ? ", " + short_time(*age * ms) + " ago" : "") << '\n';
  }
}

void add_member_troubles(std::vector<std::string>& out, const json::value& m,
                         const std::string& self) {
  if (gone(m))
    return;
  const auto name = name_of(m);
  const auto lease = part(m, "lease");
  if (lease.is_object() && !is_true(member(lease, "runs")))
    out.push_back(name + ": its lease has lapsed: is the process up, and does it reach Postgres?");
  if (text(m, "uuid") == self)
    return;
  const auto link = part(m, "link");
  if (!link.is_object() || is_true(member(link, "reachable")))
    return;
  const auto why = text(link, "last_trouble");
  out.push_back(name + ": out of reach from here, link " + text(link, "state") +
                (why.empty() ? "" : ": " + why));
}

} // namespace

std::string short_time(std::int64_t us) {
  char room[32];
  const auto value = static_cast<double>(us);
  if (us < ms)
    std::snprintf(room, sizeof room, "%lld us", static_cast<long long>(us));
  else if (us < 10 * ms)
    std::snprintf(room, sizeof room, "%.1f ms", value / ms);
  else if (us < second)
    std::snprintf(room, sizeof room, "%lld ms", static_cast<long long>(us / ms));
  else if (us < 2 * minute)
    std::snprintf(room, sizeof room, "%.1f s", value / second);
  else
    std::snprintf(room, sizeof room, "%lld min", static_cast<long long>(us / minute));
  return room;
}

const json::array* cluster_members(const json::value& cluster) {
  const auto* found = member(cluster, "members");
  return found != nullptr ? found->if_array() : nullptr;
}

found_member find_member(const json::value& cluster, const std::string& wanted) {
  const auto* members = cluster_members(cluster);
  if (members == nullptr)
    return {nullptr, "the node's answer holds no members: is it an older release?"};
  std::vector<const json::value*> exact;
  std::vector<const json::value*> similar;
  std::string names;
  for (const auto& m : *members) {
    if (gone(m))
      continue;
    const auto name = text(m, "name");
    const auto uuid = text(m, "uuid");
    if (uuid == wanted)
      return {&m, {}};
    if (name == wanted)
      exact.push_back(&m);
    if (name.starts_with(wanted) || uuid.starts_with(wanted))
      similar.push_back(&m);
    names += (names.empty() ? "" : ", ") + name + " (" + uuid.substr(0, short_id_digits) + ")";
  }
  const auto& found = exact.empty() ? similar : exact;
  if (found.size() == 1)
    return {found.front(), {}};
  return {nullptr, found.empty()
                       ? "no running member is called " + wanted + "; there are " + names
                       : wanted + " fits more than one of " + names + ": give more of the UUID"};
}

void print_cluster(std::ostream& out, const json::value& cluster, bool all) {
  const auto self = text(cluster, "node");
  json::array rows;
  std::size_t hidden = 0;
  for (const auto& m : *cluster_members(cluster)) {
    if (!all && gone(m))
      ++hidden;
    else
      rows.push_back(row_of(m, self));
  }
  std::sort(rows.begin(), rows.end(), [](const json::value& a, const json::value& b) {
    return text(a, "name") < text(b, "name");
  });
  out << "view " << count(cluster, "view_version") << ", feature level "
      << count(cluster, "feature_level")
      << (is_true(member(cluster, "clustered")) ? "" : ", this node is alone") << "\n\n";
  print_table(out, rows);
  const auto shards = part(cluster, "shards");
  const auto moves = part(cluster, "moves");
  const auto here = under_way(moves);
  out << "\nshards: " << count(shards, "owned") << " of " << count(shards, "total") << " owned, "
      << count(moves, "misplaced") << " to be moved"
      << (here.empty() ? "" : "; under way here: " + here) << '\n';
  print_votes(out, cluster);
  if (hidden > 0)
    out << hidden << " have left or died (--all shows them)\n";
  if (all)
    for (const auto& m : *cluster_members(cluster))
      if (gone(m) && !text(m, "why").empty())
        out << name_of(m) << ": " << text(m, "status") << ", " << text(m, "why") << '\n';
}

std::vector<std::string> cluster_troubles(const json::value& cluster) {
  std::vector<std::string> out;
  if (!is_true(member(cluster, "database_answers")))
    out.emplace_back("the database does not answer: this is what was last known");
  const auto shards = part(cluster, "shards");
  if (auto unowned = length(shards, "unowned"); unowned > 0)
    out.push_back(std::to_string(unowned) + " shards have no owner: their requests wait");
  if (auto orphaned = length(shards, "orphaned"); orphaned > 0)
    out.push_back(std::to_string(orphaned) +
                  " shards are of a node that does not run: they are about to be taken over");
  const auto self = text(cluster, "node");
  if (const auto* members = cluster_members(cluster))
    for (const auto& m : *members)
      add_member_troubles(out, m, self);
  return out;
}

} // namespace rahat::ctl
