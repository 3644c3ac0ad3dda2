#pragma once

#include "tests/cluster/faults.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rahat::test {

struct chaos_plan {
  std::size_t nodes = 3;
  std::size_t lines = 100'000; // of each disbursement; 0: none
  std::uint64_t seed = 1;
  std::chrono::seconds duration{60}; // of random faults; what follows is not counted
  std::vector<fault> schedule;       // these in this order instead
  std::vector<fault> among{std::begin(all_faults), std::end(all_faults)}; // random ones
  std::string program;                                                    // empty: rahatd
  /// False for nodes that trust their lease for ever: a frozen one answers reads of the past for a
  /// moment after it wakes. They are counted all the same.
  bool reads_must_be_fresh = true;
};

struct chaos_report {
  std::vector<std::string> wrong; // empty: all is well
  std::size_t faults = 0;
  std::size_t commits_held = 0; // freezes that caught a commit inside Postgres
  cluster_losses losses;
  std::size_t posts = 0, reads = 0, stale_reads = 0, disbursements = 0;
  std::int64_t slowest_ms = 0;
  std::filesystem::path history; // written, with the nodes' logs, when something is wrong
};

/// Starts a cluster, puts it under a mixed load, does to it what the plan says, lets it come to
/// rest and checks everything. Prints what it does. Throws when the cluster cannot be started or
/// does not come to rest; the history is written then as well.
chaos_report run_chaos(const chaos_plan& plan);

/// For people.
std::string to_text(const chaos_report& report);

} // namespace rahat::test
