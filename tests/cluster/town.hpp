#pragma once

#include "tests/cluster/load.hpp"
#include "tests/e2e/ledger.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rahat::test {

/// Starts node 0 and gives the people their tokens there, then the other nodes, who find them when
/// they start. Of the first `nodes` only; 0: all. Waits until they share the shards.
std::unique_ptr<people> populate(cluster_process& cluster, std::size_t nodes = 0);

/// New projects that can be funded.
std::vector<std::string> active_projects(client& maker, std::size_t count);

/// Those of the projects whose shards a node owns now.
std::vector<std::string> projects_of(const cluster_process& cluster, std::size_t node,
                                     const std::vector<std::string>& projects);

/// A cluster with its people, and projects that are funded all alike. One thread.
struct town {
  /// Starts Postgres; no node yet.
  explicit town(cluster_plan plan = {}) : cluster(std::move(plan)) {}

  /// Starts all nodes and makes the projects.
  void open(std::size_t projects, manners of_maker = {});

  /// Each project once, through any node; what comes back too late is asked again. Throws when one
  /// is not accepted.
  void fund_all();
  void fund(const std::string& project);

  ledger books() const { return ledger{cluster.owner_conninfo()}; }

  /// Whatever is wrong with the books, the chain and the outcomes of all requests so far.
  std::vector<std::string> damage();

  cluster_process cluster;
  std::unique_ptr<people> who;
  history book;
  std::unique_ptr<client> maker;
  std::vector<std::string> projects;
};

} // namespace rahat::test
