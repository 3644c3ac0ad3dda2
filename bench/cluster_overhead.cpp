#include "bench/bench_cluster.hpp"
#include "bench/distribution.hpp"
#include "bench/load.hpp"

#include <future>
#include <stdexcept>

/// The same work on one node and on three of the same machine, over the same database: how much of
/// it a CPU-second of nodes and Postgres does.
namespace rahat::bench {

namespace {

constexpr std::size_t nodes = 3;
constexpr std::size_t many = 1'000;
constexpr unsigned full_load =
    192;                           // connections of all clients together: 64 for each node of three
constexpr unsigned thin_load = 64; // spread over three nodes, their batches are a third as large
constexpr unsigned warm_up_seconds = 2;
constexpr double bulk_falls_to = 0.85;
constexpr double commands_fall_to = 0.7;

struct commands_side {
  std::vector<double> per_cpu_second, rate;
  std::vector<double> node_us, postgres_us; // of CPU a command
};

struct side {
  std::vector<double> lines, lines_rate; // per CPU-second, per second
  commands_side full, thin;
};

/// A client a node, with its part of the connections.
load_result run_on(const bench_cluster& cluster, const load& what, std::size_t up,
                   unsigned connections, unsigned seconds) {
  std::vector<std::future<load_result>> clients;
  for (std::size_t i = 0; i < up; ++i)
    clients.push_back(std::async(std::launch::async, [&, i] {
      return what.run(cluster.url_of(i), seconds, connections / static_cast<unsigned>(up));
    }));
  load_result all;
  for (auto& one : clients) {
    const auto got = one.get();
    all.per_second += got.per_second;
    all.answered += got.answered;
    all.refused += got.refused;
  }
  return all;
}

bench_cluster::cpu since(const bench_cluster& cluster, const bench_cluster::cpu& before) {
  const auto now = cluster.cpu_spent();
  return {now.nodes - before.nodes, now.server - before.server};
}

void measure_commands(const bench_cluster& cluster, const load& fundings, std::size_t up,
                      unsigned connections, unsigned seconds, commands_side& out) {
  const auto before = cluster.cpu_spent();
  const auto got = run_on(cluster, fundings, up, connections, seconds);
  const auto cpu = since(cluster, before);
  if (got.answered == 0)
    throw std::runtime_error("no command was accepted");
  if (got.refused > 0)
    say(std::to_string(got.refused) + " commands were refused; they are not counted");
  out.per_cpu_second.push_back(got.answered / cpu.all());
  out.rate.push_back(got.per_second);
  out.node_us.push_back(cpu.nodes / got.answered * 1e6);
  out.postgres_us.push_back(cpu.server / got.answered * 1e6);
}

void measure_lines(bench_cluster& cluster, distribution& payments, side& out) {
  payments.lock();
  cluster.sql("CHECKPOINT");
  const auto lines = static_cast<double>(payments.lines());
  const auto before = cluster.cpu_spent();
  const auto took = payments.approve_and_pay();
  out.lines.push_back(lines / since(cluster, before).all());
  out.lines_rate.push_back(lines / took);
}

std::string told(const commands_side& of, const char* load) {
  return std::string(load) + ": " + std::to_string(of.per_cpu_second.back()) +
         " commands per CPU-second, " + std::to_string(of.rate.back()) + " commands/s of " +
         std::to_string(of.node_us.back()) + " us of the nodes and " +
         std::to_string(of.postgres_us.back()) + " us of Postgres";
}

void measure(bench_cluster& cluster, const load& fundings, distribution& payments, std::size_t up,
             unsigned seconds, side& out) {
  run_on(cluster, fundings, up, full_load, warm_up_seconds); // what has moved is loaded once
  measure_commands(cluster, fundings, up, full_load, seconds, out.full);
  measure_commands(cluster, fundings, up, thin_load, seconds, out.thin);
  measure_lines(cluster, payments, out);
  say(std::to_string(up) + " nodes, " + told(out.full, "full load"));
  say(std::to_string(up) + " nodes, " + told(out.thin, "thin load"));
  say(std::to_string(up) + " nodes, " + std::to_string(out.lines.back()) +
      " lines per CPU-second, " + std::to_string(out.lines_rate.back()) + " lines/s");
}

void report(const char* name, const commands_side& three, const commands_side& one,
            const bar& wanted, std::vector<measurement>& out) {
  const auto add = [&](const char* what, const char* unit, auto value, const bar& b) {
    out.push_back({std::string(name) + what, median(three.*value), unit, median(one.*value), b});
  };
  add("", "cmds/CPU-s", &commands_side::per_cpu_second, wanted);
  add("_rate", "commands/s", &commands_side::rate, {});
  add("_node_cpu", "us/command", &commands_side::node_us, {});
  add("_postgres_cpu", "us/command", &commands_side::postgres_us, {});
}

} // namespace

std::vector<measurement> cluster_overhead(const settings& how) {
  bench_cluster cluster{how, nodes};
  std::vector<std::string> paths;
  for (auto& id : cluster.make_projects(many))
    paths.push_back("/v2/projects/" + id + "/fundings");
  const auto fundings =
      load::of_posts(cluster.folder(), paths, cluster.token(),
                     R"({"amount_minor":1000,"currency":"NPR","reference":"bench"})");
  distribution payments{cluster, how, how.lines};
  side one, three;
  for (unsigned round = 0; round < how.rounds; ++round) {
    measure(cluster, fundings, payments, nodes, how.seconds, three);
    for (std::size_t i = 1; i < nodes; ++i)
      cluster.stop(i);
    cluster.settle();
    measure(cluster, fundings, payments, 1, how.seconds, one);
    for (std::size_t i = 1; i < nodes; ++i)
      cluster.start(i);
    cluster.settle();
  }
  std::vector<measurement> out{
      {"cluster_overhead_bulk", median(three.lines), "lines/CPU-s", median(one.lines),
       at_least(bulk_falls_to)},
      {"cluster_bulk_rate", median(three.lines_rate), "lines/s", median(one.lines_rate), {}}};
  report("cluster_overhead_commands", three.full, one.full, at_least(commands_fall_to), out);
  report("cluster_overhead_thin", three.thin, one.thin, {}, out);
  return out;
}

} // namespace rahat::bench
