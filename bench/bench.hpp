#pragma once

#include "bench/report.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rahat::bench {

/// What the command line says, for every benchmark.
struct settings {
  unsigned rounds = 0;              // of each side, alternating; 0: as many as it usually takes
  unsigned seconds = 5;             // of load a side and round, where a rate is measured
  std::uint64_t lines = 1'000'000;  // of a pay list
  std::uint64_t entities = 100'000; // in the journal, for recovery
  std::string rahatd;               // the node's program
  std::string examples;             // the folder with the register
};

/// One program of the suite: measures both sides and reports one row a figure.
struct benchmark {
  std::string name;
  std::string about; // one line for --list
  std::function<std::vector<measurement>(const settings&)> run;
  unsigned rounds = 3; // when nobody says how many
};

// Each in a file of its own.
std::vector<measurement> bulk_pay(const settings& how);
std::vector<measurement> commands(const settings& how);
std::vector<measurement> reads(const settings& how);
std::vector<measurement> idle_entity(const settings& how);
std::vector<measurement> recovery(const settings& how);
std::vector<measurement> peak_memory(const settings& how);
std::vector<measurement> cluster_failover(const settings& how);
std::vector<measurement> cluster_move(const settings& how);
std::vector<measurement> cluster_cold_start(const settings& how);
std::vector<measurement> cluster_overhead(const settings& how);
std::vector<measurement> cluster_hop(const settings& how);

/// What `rahat_bench --count-idle N` does in a process of its own, whose heap nobody used before:
/// prints the bytes that one idle entity adds. Returns the exit code.
int count_idle(std::uint64_t entities);

} // namespace rahat::bench
