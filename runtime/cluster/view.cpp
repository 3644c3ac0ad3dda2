#include "runtime/cluster/view.hpp"

#include <algorithm>

namespace rahat::cluster {

namespace {

bool by_uuid(const member& a, const member& b) {
  return a.node_uuid < b.node_uuid;
}

std::vector<member> without_leases(std::vector<member> members) {
  std::sort(members.begin(), members.end(), by_uuid);
  for (auto& m : members)
    m.lease_until_us = 0;
  return members;
}

} // namespace

std::string_view to_string(member_status status) {
  switch (status) {
    case member_status::joining: return "joining";
    case member_status::active: return "active";
    case member_status::leaving: return "leaving";
    case member_status::left: return "left";
    case member_status::dead: return "dead";
  }
  return "unknown";
}

const member* view::find(const uuid& node) const {
  for (const auto& m : members)
    if (m.node_uuid == node)
      return &m;
  return nullptr;
}

const member* view::find(const member_id& id) const {
  const auto* m = find(id.node);
  return m != nullptr && m->incarnation == id.incarnation ? m : nullptr;
}

std::vector<member> view::alive() const {
  std::vector<member> out;
  for (const auto& m : members)
    if (m.alive())
      out.push_back(m);
  std::sort(out.begin(), out.end(), by_uuid);
  return out;
}

std::vector<uuid> view::active() const {
  std::vector<uuid> out;
  for (const auto& m : members)
    if (m.active())
      out.push_back(m.node_uuid);
  std::sort(out.begin(), out.end());
  return out;
}

uuid view::coordinator() const {
  const auto all = active();
  return all.empty() ? uuid{} : all.front();
}

std::string view::str() const {
  auto rows = members;
  std::sort(rows.begin(), rows.end(), by_uuid);
  auto out = "view " + std::to_string(version) + " level " + std::to_string(feature_level) + ":";
  for (const auto& m : rows) {
    out += &m == &rows.front() ? " " : ", ";
    out += m.id().str() + " " + std::string(to_string(m.status)) + " " + m.address + ":" +
           std::to_string(m.port);
  }
  return rows.empty() ? out + " nobody" : out;
}

bool agree(const view& a, const view& b) {
  return a.version == b.version && a.feature_level == b.feature_level &&
         without_leases(a.members) == without_leases(b.members);
}

} // namespace rahat::cluster
