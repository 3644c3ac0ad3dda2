#include "bench/bench.hpp"
#include "bench/report.hpp"

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

namespace rahat::bench {

namespace {

const std::vector<benchmark>& suite() {
  static const std::vector<benchmark> all = {
      {"bulk_pay", "a pay list from approved to completed, against COPY; and locking it", bulk_pay},
      {"commands", "durable commands over HTTP, on many entities and on one, against pgbench",
       commands},
      {"reads", "GET of one of 1,000 projects, against nginx and a static file", reads},
      {"idle_entity", "memory of an idle entity beyond its state", idle_entity},
      {"recovery", "kill -9 while paying: until it pays again; first touch of a cold entity",
       recovery},
      {"peak_memory", "the most memory of node and Postgres over a whole run", peak_memory},
      {"cluster_failover", "kill -9 of one node of three: until each of its shards serves again",
       cluster_failover, 30},
      {"cluster_move", "a node of three is drained: how long a shard is away, under two loads",
       cluster_move, 5},
      {"cluster_cold_start", "kill -9 of all three, started together: until every shard serves",
       cluster_cold_start, 5},
      {"cluster_overhead", "what three nodes cost on one machine: work per CPU-second against one",
       cluster_overhead},
      {"cluster_hop", "HTTP on one node, the entity on another, at low load", cluster_hop}};
  return all;
}

const benchmark* find(const std::string& name) {
  for (auto& one : suite())
    if (one.name == name)
      return &one;
  return nullptr;
}

std::vector<const benchmark*> chosen(const std::vector<std::string>& names) {
  std::vector<const benchmark*> out;
  for (auto& name : names)
    out.push_back(find(name));
  if (names.empty())
    for (auto& one : suite())
      out.push_back(&one);
  return out;
}

std::string check_name(const std::string& name) {
  return find(name) != nullptr ? "" : "there is no benchmark '" + name + "': --list names them";
}

int run_all(const std::vector<std::string>& names, const settings& how, const std::string& file) {
  std::vector<measurement> rows;
  int failed = 0;
  for (auto* one : chosen(names)) {
    std::cerr << one->name << ": " << one->about << std::endl;
    try {
      auto its = how;
      its.rounds = how.rounds > 0 ? how.rounds : one->rounds;
      for (auto& row : one->run(its))
        rows.push_back(row);
    } catch (const std::exception& e) {
      std::cerr << one->name << " failed: " << e.what() << std::endl;
      failed = 1;
    }
  }
  print_table(std::cout, rows);
  if (!file.empty()) {
    std::ofstream out{file};
    out << json_of(rows);
    out.close();
    if (!out) {
      std::cerr << "cannot write " << file << std::endl;
      failed = 1;
    }
  }
  return failed;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Measures Rahat against its yardsticks: both sides in one run on this machine, the\n"
      "median of alternating rounds. Exit code 0: everything ran (bars met or not)."};
  settings how{.rahatd = RAHAT_BENCH_NODE, .examples = RAHAT_BENCH_EXAMPLES};
  std::vector<std::string> names;
  std::string file;
  bool list = false;
  std::uint64_t idle = 0;
  app.add_option("NAME", names, "Benchmarks to run; all if none is named")
      ->check(
          CLI::Validator([](std::string& name) { return check_name(name); }, "NAME", "benchmark"));
  app.add_flag("--list", list, "Name the benchmarks and stop");
  app.add_option("--json", file, "Write the table as a JSON list to this file, too");
  app.add_option("--rounds", how.rounds,
                 "Rounds of each side; cluster_failover kills a node in each (default: 3, 5 of\n"
                 "cluster_move and cluster_cold_start, 30 of cluster_failover)")
      ->check(CLI::Range(1u, 999u));
  app.add_option("--seconds", how.seconds, "Seconds of load a side and round")
      ->check(CLI::Range(1u, 600u))
      ->capture_default_str();
  app.add_option("--lines", how.lines, "Lines of the pay list")
      ->check(CLI::Range(std::uint64_t{1'000}, std::uint64_t{1'000'000}))
      ->capture_default_str();
  app.add_option("--entities", how.entities, "Entities in the journal, for recovery")
      ->check(CLI::Range(std::uint64_t{1'000}, std::uint64_t{1'000'000}))
      ->capture_default_str();
  app.add_option("--rahatd", how.rahatd, "The node's program")->capture_default_str();
  app.add_option("--examples", how.examples, "Folder with the register")->capture_default_str();
  app.add_option("--count-idle", idle)->group("");
  app.footer(
      "Examples:\n"
      "  ./dev bench\n"
      "  ./dev bench commands reads --json figures.json\n"
      "  ./dev bench bulk_pay --lines 100000 --rounds 5\n"
      "  ./dev bench cluster_failover cluster_move cluster_cold_start cluster_hop");
  CLI11_PARSE(app, argc, argv);
  if (idle > 0)
    return count_idle(idle);
  if (list) {
    for (auto& one : suite())
      std::cout << one.name << std::string(20 - one.name.size(), ' ') << one.about << "\n";
    return 0;
  }
  return run_all(names, how, file);
}

} // namespace

} // namespace rahat::bench

int main(int argc, char** argv) {
  try {
    return rahat::bench::run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "rahat_bench: " << e.what() << std::endl;
    return 1;
  }
}
