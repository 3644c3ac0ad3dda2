#pragma once

#include "runtime/cluster/assignment.hpp"
#include "runtime/cluster/membership.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace rahat::cluster {

inline constexpr std::int64_t second = 1'000'000;

/// Node n: uuids rise with n.
inline uuid node(std::uint8_t n) {
  uuid id;
  id.bytes[15] = n;
  return id;
}

/// What one node of a healthy cluster of `size` active members sees: all leases run, everybody
/// answers, every shard is where it belongs, nothing is due. A test changes what it is about and
/// reads what `act` wants.
struct scene {
  static constexpr std::int64_t database_now = 1'000 * second;
  static constexpr std::int64_t boot_now = 500 * second;

  view now;
  observed facts;
  self_state self;
  membership_terms terms;

  explicit scene(std::uint8_t size, std::uint8_t me = 1) {
    now.version = 7;
    now.feature_level = 1;
    for (std::uint8_t n = 1; n <= size; ++n)
      add(n, member_status::active);
    facts.database_now_us = database_now;
    facts.boot_now_us = boot_now;
    settle();
    be(me);
  }

  member& add(std::uint8_t n, member_status status) {
    now.members.push_back({.node_uuid = node(n),
                           .incarnation = 1,
                           .address = "10.0.0." + std::to_string(n),
                           .port = 7400,
                           .status = status,
                           .lease_until_us = database_now + terms.ttl_us - 1,
                           .feature_level = 1,
                           .build_level = 1});
    facts.peers.push_back({{node(n), 1}, true, boot_now - 60 * second});
    return now.members.back();
  }

  member& row(std::uint8_t n) {
    return *std::find_if(now.members.begin(), now.members.end(),
                         [&](const member& m) { return m.node_uuid == node(n); });
  }

  /// Steps as node `n` from now on.
  void be(std::uint8_t n) {
    self = {.id = {node(n), 1},
            .build_level = 1,
            .wanted = wish::belong,
            .beating = true,
            .serving = true,
            .steady_since_us = boot_now - 60 * second,
            .clock_offset_us = database_now - boot_now,
            .draining = {}};
  }

  /// Every shard is where the active members want it.
  void settle() {
    facts.shards.assign(shard_count, {});
    const auto wanted = assign_shards(now.active());
    for (shard_id s = 0; s < shard_count; ++s)
      if (!wanted.empty())
        facts.shards[s].owner = {wanted.owner(s), now.find(wanted.owner(s))->incarnation};
  }

  void lose(std::uint8_t n, std::int64_t for_us = 10 * second) {
    for (auto& r : facts.peers)
      if (r.peer.node == node(n))
        r = {r.peer, false, boot_now - for_us};
  }

  void vote(std::uint8_t voter, std::uint8_t against, std::int64_t age_us = second) {
    facts.votes.push_back({{node(voter), 1}, {node(against), 1}, database_now - age_us});
  }

  std::vector<action> actions() const { return step(now, facts, self, terms); }

  /// In words, nodes by number: `vote 3`, `dead 2 lapsed`, `take 85`.
  std::vector<std::string> act() const {
    std::vector<std::string> out;
    for (const auto& a : actions())
      out.push_back(std::visit(words{}, a));
    return out;
  }

  struct words {
    static std::string n(const member_id& id) { return std::to_string(id.node.bytes[15]); }
    std::string operator()(const renew_lease&) const { return "renew"; }
    std::string operator()(const join&) const { return "join"; }
    std::string operator()(const activate&) const { return "activate"; }
    std::string operator()(const vote_against& a) const { return "vote " + n(a.peer); }
    std::string operator()(const withdraw_vote& a) const { return "withdraw " + n(a.peer); }
    std::string operator()(const declare_dead& a) const {
      return "dead " + n(a.peer) + " " + std::string(to_string(a.reason));
    }
    std::string operator()(const begin_leave&) const { return "begin_leave"; }
    std::string operator()(const stay&) const { return "stay"; }
    std::string operator()(const leave&) const { return "leave"; }
    std::string operator()(const stop_self& a) const {
      return "stop " + std::string(to_string(a.reason));
    }
    std::string operator()(const release& a) const {
      return "release " + std::to_string(a.shards.size());
    }
    std::string operator()(const take& a) const {
      return "take " + std::to_string(a.shards.size());
    }
  };
};

} // namespace rahat::cluster
