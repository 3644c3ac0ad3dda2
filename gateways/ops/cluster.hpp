#pragma once

#include "gateways/http/handler.hpp"
#include "runtime/ports/membership_store.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// The cluster as an operator sees it from one node, and what may be asked of it.
namespace rahat::ops {

/// The link to one peer, seen from this node.
struct cluster_link {
  uuid peer;
  std::string state;
  std::int64_t since_us = 0; // wall clock
  bool reachable = false;    // it answered within the last 2 s
  std::int64_t rtt_us = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::size_t bytes_unconfirmed = 0;
  std::size_t bytes_waiting = 0;
  std::string last_trouble; // empty: none yet
};

/// How many shards of this node are in one phase of docs/protocols/moves.md.
struct cluster_phase {
  std::string name;
  std::size_t shards = 0;
};

struct cluster_facts {
  cluster::member_id self;
  bool clustered = false; // false: it has no [cluster] and serves alone
  /// Of one moment. If the database did not answer: what was last known.
  cluster_reading seen;
  bool database_answers = false;
  std::int64_t lease_ttl_us = 0;
  std::vector<cluster_link> links;
  std::vector<cluster_phase> phases; // of this node's shards; "open" among them
  std::size_t misplaced = 0;         // shards whose owner is not the one that the members agree on
};

/// The node's part in the cluster, for operators. Thread-safe; nothing blocks, each callback comes
/// once, from any thread.
class cluster_port {
public:
  template <class T>
  using callback = membership_store::callback<T>;

  virtual ~cluster_port() = default;

  virtual void look(std::function<void(cluster_facts)> done) = 0;

  /// See membership_store.
  virtual void wish(const uuid& node, bool drain, callback<swap> done) = 0;
  virtual void raise_level(std::int32_t to, callback<std::string> done) = 0;
};

/// GET /internal/v1/cluster and what changes it. `port` outlives the routes.
http::route_table cluster_routes(cluster_port& port);

} // namespace rahat::ops
