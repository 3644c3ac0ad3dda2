#include "runtime/cluster/membership_actions.hpp"

namespace rahat::cluster {

namespace {

std::string list_of(const std::vector<shard_id>& shards) {
  std::string out;
  for (auto s : shards)
    out += " " + std::to_string(s);
  return out;
}

struct describe {
  std::string operator()(const renew_lease&) const { return "renew_lease"; }
  std::string operator()(const join&) const { return "join"; }
  std::string operator()(const activate&) const { return "activate"; }
  std::string operator()(const vote_against& a) const { return "vote_against " + a.peer.str(); }

  std::string operator()(const withdraw_vote& a) const { return "withdraw_vote " + a.peer.str(); }

  std::string operator()(const declare_dead& a) const {
    return "declare_dead " + a.peer.str() + " " + std::string(to_string(a.reason));
  }

  std::string operator()(const begin_leave&) const { return "begin_leave"; }
  std::string operator()(const stay&) const { return "stay"; }
  std::string operator()(const leave&) const { return "leave"; }

  std::string operator()(const stop_self& a) const {
    return "stop_self " + std::string(to_string(a.reason));
  }

  std::string operator()(const release& a) const { return "release" + list_of(a.shards); }
  std::string operator()(const take& a) const { return "take" + list_of(a.shards); }
};

} // namespace

std::string_view to_string(death_reason reason) {
  return reason == death_reason::lapsed ? "lapsed" : "voted";
}

std::string_view to_string(stop_reason reason) {
  switch (reason) {
    case stop_reason::declared_dead: return "declared_dead";
    case stop_reason::superseded: return "superseded";
    case stop_reason::row_gone: return "row_gone";
    case stop_reason::left: return "left";
    case stop_reason::build_too_old: return "build_too_old";
    case stop_reason::cluster_full: return "cluster_full";
  }
  return "unknown";
}

std::string_view explain(stop_reason reason) {
  switch (reason) {
    case stop_reason::declared_dead: return "another member has declared it dead";
    case stop_reason::superseded: return "a later start of this node lives";
    case stop_reason::row_gone: return "somebody has removed its row";
    case stop_reason::left: return "it has left";
    case stop_reason::build_too_old:
      return "the cluster's feature level is above what this build reads: install a newer one";
    case stop_reason::cluster_full:
      return "as many members run as there may be (16): stop one of them before this one joins";
  }
  return "unknown";
}

std::string to_string(const action& what) {
  return std::visit(describe{}, what);
}

} // namespace rahat::cluster
