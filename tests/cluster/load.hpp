#pragma once

#include "tests/cluster/client.hpp"

#include <map>

namespace rahat::test {

/// Tokens of the people who work with the cluster, made through one node before others start.
struct people {
  std::string maker;
  std::string checker;
  std::string reader;

  explicit people(const node_process& node);
};

struct load_plan {
  std::size_t workers = 4;
  std::size_t projects_each = 12;
  std::uint64_t seed = 1;
  int pause_ms = 4; // of a worker between two requests
  manners how;
  bool reads_must_be_fresh = true;
  /// How long a request is tried before its worker says that it was given up.
  std::chrono::seconds patience{60};
};

/// What one project was given, as its clients know it.
struct funded {
  std::int64_t accepted_minor = 0;
  std::int64_t accepted = 0; // requests
};

struct load_result {
  std::size_t posts = 0, retried = 0, retried_twice = 0;
  std::size_t reads = 0, reads_failed = 0; // failed: at two nodes
  std::size_t stale_reads = 0;
  std::int64_t slowest_ms = 0;
  std::map<std::string, funded> projects;
  std::vector<std::string> faults; // refusals, requests given up, stale reads
};

/// Fundings of many projects and reads of them, through any node, by several workers. Each has
/// projects of its own, so that it knows what a read has to show.
class mixed_load {
public:
  /// Makes the projects: on a cluster that is well.
  mixed_load(const cluster_process& cluster, const people& who, history& book, load_plan plan);
  ~mixed_load();

  void start();
  /// Lets each worker finish what it is at, and says what they saw.
  load_result stop();

  /// Requests that were accepted so far.
  std::size_t accepted() const { return accepted_; }

private:
  struct worker;

  void work(worker& me);
  void fund(worker& me, const std::string& project);
  void look(worker& me, const std::string& project);

  const cluster_process& cluster_;
  history& book_;
  const load_plan plan_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::atomic<bool> ended_{false};
  std::atomic<std::size_t> accepted_{0};
};

} // namespace rahat::test
