#include "bench/bench_node.hpp"
#include "bench/load.hpp"
#include "bench/process.hpp"

#include <fstream>
#include <stdexcept>

/// Durable commands of single entities over HTTP at 64 clients, over many entities and on one,
/// against Postgres' own benchmark writing rows of the journal's shape into the same server.
namespace rahat::bench {

namespace {

constexpr std::size_t many = 1'000;

/// Each client has positions of its own; the sequence numbers of an entity grow.
constexpr const char* insert_script = R"sql(\set n :n + 1
\set shard :client_id * 32 + :n % 32
\set entity random(1, 1000)
INSERT INTO yardstick.journal VALUES ('project',
  ('00000000-0000-0000-0000-' || lpad(:entity::text, 12, '0'))::uuid,
  :n * 8 + :client_id, :shard, :n, 1, 'project.funded', decode(repeat('ab', 150), 'hex'), 'bench',
  1700000000000000 + :n, decode(repeat('cd', 32), 'hex'));
)sql";

struct side {
  std::vector<double> per_second, node_us, postgres_us, p99_ms;
};

/// Adds one round of a load on the node.
void measure(const bench_node& node, const load& what, unsigned seconds, side& out) {
  auto node_cpu = own_cpu_seconds(node.pid()); // the server is its child
  auto postgres_cpu = cpu_seconds(node.postgres_pid());
  auto got = what.run(node.url(), seconds);
  auto postgres_after = cpu_seconds(node.postgres_pid());
  auto node_after = own_cpu_seconds(node.pid());
  if (got.answered == 0)
    throw std::runtime_error("no command was accepted");
  if (got.refused > 0)
    say(std::to_string(got.refused) + " commands were refused; they are not counted");
  out.per_second.push_back(got.per_second);
  out.node_us.push_back((node_after - node_cpu) / got.answered * 1e6);
  out.postgres_us.push_back((postgres_after - postgres_cpu) / got.answered * 1e6);
  out.p99_ms.push_back(got.p99_ms);
}

/// Adds one round of pgbench.
void measure_pgbench(const bench_node& node, const std::string& script, unsigned seconds,
                     side& out) {
  node.sql("CREATE TABLE yardstick.journal (LIKE public.journal INCLUDING ALL)");
  auto program = find_program("pgbench", "postgresql-contrib", node.postgres_bindir());
  auto cpu = cpu_seconds(node.postgres_pid());
  auto text = output_of({program, "-n", "-c8", "-j1", "-M", "prepared", "-T",
                         std::to_string(seconds), "-D", "n=0", "-f", script},
                        node.postgres_environment());
  cpu = cpu_seconds(node.postgres_pid()) - cpu;
  node.sql("DROP TABLE yardstick.journal");
  auto at = text.find("tps = ");
  auto done = text.find("actually processed: ");
  if (at == std::string::npos || done == std::string::npos)
    throw std::runtime_error("pgbench's report is not understood:\n" + text);
  out.per_second.push_back(std::stod(text.substr(at + 6)));
  out.postgres_us.push_back(cpu / std::stod(text.substr(done + 20)) * 1e6);
}

std::vector<std::string> funding_paths(const std::vector<std::string>& projects) {
  std::vector<std::string> paths;
  for (auto& id : projects)
    paths.push_back("/v2/projects/" + id + "/fundings");
  return paths;
}

} // namespace

std::vector<measurement> commands(const settings& how) {
  bench_node node{how};
  auto paths = funding_paths(node.make_projects(many));
  constexpr const char* funding = R"({"amount_minor":1000,"currency":"NPR","reference":"bench"})";
  auto on_many = load::of_posts(node.folder(), paths, node.token(), funding);
  auto on_one = load::of_posts(node.folder(), {paths.front()}, node.token(), funding);
  node.sql("CREATE SCHEMA yardstick");
  auto script = node.folder() + "/insert.sql";
  std::ofstream{script} << insert_script;

  on_many.run(node.url(), 2); // warms up
  side all, hot, pgbench;
  for (unsigned round = 0; round < how.rounds; ++round) {
    measure(node, on_many, how.seconds, all);
    measure_pgbench(node, script, how.seconds, pgbench);
    measure(node, on_one, how.seconds, hot);
    say("round " + std::to_string(round + 1) + ": many " + std::to_string(all.per_second.back()) +
        ", pgbench " + std::to_string(pgbench.per_second.back()) + ", one " +
        std::to_string(hot.per_second.back()) + " commands/s");
  }
  auto rate = median(pgbench.per_second);
  auto cpu = median(pgbench.postgres_us);
  return {{"commands_many", median(all.per_second), "commands/s", rate, at_least(1.5)},
          {"commands_hot", median(hot.per_second), "commands/s", rate, at_least(1.0)},
          {"commands_many_p99", median(all.p99_ms), "ms", {}, {}},
          {"commands_hot_p99", median(hot.p99_ms), "ms", {}, {}},
          {"commands_many_node_cpu", median(all.node_us), "us/command", {}, {}},
          {"commands_many_postgres_cpu", median(all.postgres_us), "us/command", cpu, {}},
          {"commands_hot_node_cpu", median(hot.node_us), "us/command", {}, {}},
          {"commands_hot_postgres_cpu", median(hot.postgres_us), "us/command", cpu, {}}};
}

} // namespace rahat::bench
