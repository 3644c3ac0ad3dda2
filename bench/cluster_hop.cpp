#include "bench/shard_load.hpp"

#include <algorithm>
#include <stdexcept>

/// One client, one request at a time, with pauses: what it costs that the entity lives on another
/// node than the one that was asked.
namespace rahat::bench {

namespace {

constexpr std::size_t nodes = 3;
constexpr double limit_ms = 2;
constexpr std::size_t requests = 500; // of each sort and round
constexpr std::chrono::milliseconds pause{5};

struct side {
  std::vector<double> reads_ms, commands_ms;
};

/// Asks node 0 for the projects in turn; gives the middle answer time of each sort.
void measure(const bench_cluster& cluster, const std::map<shard_id, std::string>& projects,
             side& out) {
  std::vector<std::string> ids;
  for (auto& [shard, id] : projects)
    ids.push_back(id);
  ctl::client reading{cluster.url_of(0), cluster.token()};
  funding_client funding{{cluster.url_of(0)}, 0, cluster.token()};
  for (auto& id : ids)
    funding.fund(id); // warms up
  std::vector<double> reads, commands;
  for (std::size_t i = 0; i < requests; ++i) {
    auto& id = ids[i % ids.size()];
    std::this_thread::sleep_for(pause);
    const auto began = now_seconds();
    if (!reading.get("/v2/projects/" + id).ok())
      throw std::runtime_error("project " + id + " cannot be read");
    reads.push_back((now_seconds() - began) * 1e3);
    std::this_thread::sleep_for(pause);
    const auto done = funding.fund(id);
    commands.push_back((done.answered - done.sent) * 1e3);
  }
  out.reads_ms.push_back(median(reads));
  out.commands_ms.push_back(median(commands));
}

} // namespace

std::vector<measurement> cluster_hop(const settings& how) {
  bench_cluster cluster{how, nodes};
  const auto projects = project_a_shard(cluster);
  const auto there = only(projects, cluster.shards_of(1));
  const auto here = only(projects, cluster.shards_of(0));
  side hop, local;
  for (unsigned round = 0; round < how.rounds; ++round) {
    measure(cluster, there, hop);
    measure(cluster, here, local);
    say("round " + std::to_string(round + 1) + ": reads " + std::to_string(hop.reads_ms.back()) +
        " ms there, " + std::to_string(local.reads_ms.back()) + " ms here; commands " +
        std::to_string(hop.commands_ms.back()) + " ms there, " +
        std::to_string(local.commands_ms.back()) + " ms here");
  }
  return {{"cluster_hop_read", median(hop.reads_ms), "ms", limit_ms, at_most(1.0)},
          {"cluster_hop_command", median(hop.commands_ms), "ms", limit_ms, at_most(1.0)},
          {"cluster_hop_read_local", median(local.reads_ms), "ms", {}, {}},
          {"cluster_hop_command_local", median(local.commands_ms), "ms", {}, {}}};
}

} // namespace rahat::bench
