#include "bench/shard_load.hpp"

#include <algorithm>
#include <future>
#include <stdexcept>

/// All nodes are killed and started together, over a database that stayed up: how long until every
/// shard has accepted a command. With leases that still run, and with lapsed ones.
namespace rahat::bench {

namespace {

constexpr std::size_t nodes = 3;
constexpr std::size_t clients = 16;
constexpr double limit_seconds = 10;
constexpr double lapse_limit_seconds = 30;
constexpr std::chrono::milliseconds look_every{10};

void wait_lapsed(const bench_cluster& cluster) {
  for (const auto began = now_seconds();;) {
    auto running = cluster.column(
        "SELECT count(*) FROM cluster_member"
        " WHERE status IN ('joining', 'up', 'leaving') AND lease_until > clock_timestamp()");
    if (running.at(0) == "0")
      return;
    if (now_seconds() - began > lapse_limit_seconds)
      throw std::runtime_error("the leases of killed nodes do not lapse");
    std::this_thread::sleep_for(look_every);
  }
}

/// Waits until every shard has accepted a command; gives the moment of the last one's answer.
double serve_all(bench_cluster& cluster, const std::map<shard_id, std::string>& projects) {
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < cluster.size(); ++i)
    urls.push_back(cluster.url_of(i));
  std::vector<std::future<double>> last;
  for (std::size_t client = 0; client < clients; ++client)
    last.push_back(std::async(std::launch::async, [&, client] {
      funding_client mine{urls, client, cluster.token()};
      double answered = 0;
      for (auto& [shard, project] : projects)
        if (shard % clients == client)
          answered = mine.fund(project).answered;
      return answered;
    }));
  double latest = 0;
  for (auto& one : last) {
    while (one.wait_for(look_every) != std::future_status::ready)
      cluster.tend();
    latest = std::max(latest, one.get());
  }
  return latest;
}

double cold_start(bench_cluster& cluster, const std::map<shard_id, std::string>& projects,
                  bool lapsed) {
  for (std::size_t i = 0; i < cluster.size(); ++i)
    cluster.kill(i);
  if (lapsed)
    wait_lapsed(cluster);
  const auto began = now_seconds();
  for (std::size_t i = 0; i < cluster.size(); ++i)
    cluster.start(i);
  const auto took = serve_all(cluster, projects) - began;
  cluster.settle();
  say("every shard serves " + std::to_string(took) + " s after the start, settled after " +
      std::to_string(now_seconds() - began) + " s; " +
      (lapsed ? "lapsed leases" : "running leases"));
  return took;
}

double largest(const std::vector<double>& of) {
  return *std::max_element(of.begin(), of.end());
}

} // namespace

std::vector<measurement> cluster_cold_start(const settings& how) {
  bench_cluster cluster{how, nodes};
  const auto projects = project_a_shard(cluster);
  std::vector<double> running, lapsed;
  for (unsigned round = 0; round < how.rounds; ++round) {
    running.push_back(cold_start(cluster, projects, false));
    lapsed.push_back(cold_start(cluster, projects, true));
  }
  return {{"cluster_cold_start", largest(running), "s", limit_seconds, at_most(1.0)},
          {"cluster_cold_start_lapsed", largest(lapsed), "s", limit_seconds, at_most(1.0)}};
}

} // namespace rahat::bench
