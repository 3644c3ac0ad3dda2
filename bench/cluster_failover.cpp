#include "bench/shard_load.hpp"

#include <algorithm>
#include <stdexcept>

/// kill -9 of one node of three under load: how long until each of its shards has accepted a
/// command that was sent after the kill.
namespace rahat::bench {

namespace {

constexpr std::size_t nodes = 3;
constexpr double limit_seconds = 5;

struct outcome {
  double slowest = 0; // seconds from the kill to the last shard's first success
  std::size_t shards = 0;
  unsigned sent_again = 0; // commands that were refused as retryable and accepted later
};

std::vector<std::string> urls_without(const bench_cluster& cluster, std::size_t victim) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < cluster.size(); ++i)
    if (i != victim)
      out.push_back(cluster.url_of(i));
  return out;
}

/// A command that was on its way at the kill proves nothing: it may have been committed before.
const exchange& first_sent_after(double moment, const std::vector<exchange>& all) {
  auto found = std::find_if(all.begin(), all.end(),
                            [moment](const exchange& one) { return one.sent >= moment; });
  if (found == all.end())
    throw std::logic_error("a shard accepted nothing after the kill");
  return *found;
}

outcome kill_one(bench_cluster& cluster, const std::map<shard_id, std::string>& projects,
                 std::size_t victim) {
  shard_load load{{.projects = only(projects, cluster.shards_of(victim)),
                   .urls = urls_without(cluster, victim),
                   .token = cluster.token()}};
  load.pass();
  const auto killed = now_seconds();
  cluster.kill(victim);
  load.pass();
  outcome out;
  for (auto& [shard, all] : load.stop()) {
    ++out.shards;
    out.slowest = std::max(out.slowest, first_sent_after(killed, all).answered - killed);
    for (auto& one : all)
      out.sent_again += one.sendings > 1 ? 1 : 0;
  }
  return out;
}

} // namespace

std::vector<measurement> cluster_failover(const settings& how) {
  bench_cluster cluster{how, nodes};
  const auto projects = project_a_shard(cluster);
  std::vector<double> slowest;
  for (unsigned round = 0; round < how.rounds; ++round) {
    const auto victim = round % nodes;
    const auto got = kill_one(cluster, projects, victim);
    slowest.push_back(got.slowest);
    say("kill " + std::to_string(round + 1) + ", node " + std::to_string(victim) + ": " +
        std::to_string(got.shards) + " shards serve again after " + std::to_string(got.slowest) +
        " s; " + std::to_string(got.sent_again) + " commands were sent again");
    cluster.start(victim);
    cluster.settle();
  }
  return {{"cluster_failover", *std::max_element(slowest.begin(), slowest.end()), "s",
           limit_seconds, at_most(1.0)},
          {"cluster_failover_median", median(slowest), "s", {}, {}}};
}

} // namespace rahat::bench
