// ./dev chaos: the same as the test, for as long as one likes.
#include "tests/cluster/chaos.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <random>

int main(int argc, char** argv) {
  rahat::test::chaos_plan plan;
  plan.seed = std::random_device{}() % 1'000'000;
  double minutes = 2;
  bool without_deadline = false;
  std::vector<std::string> only;
  CLI::App app{"Kills and freezes nodes and Postgres under a mixed load, and checks everything."};
  app.add_option("--minutes", minutes, "how long faults go on")->check(CLI::PositiveNumber);
  app.add_option("--seed", plan.seed, "the faults' order and kinds");
  app.add_option("--nodes", plan.nodes, "nodes")->check(CLI::Range(2, 16));
  app.add_option("--lines", plan.lines, "lines of a disbursement; 0: none");
  app.add_option("--only", only, "these faults, by name");
  app.add_flag("--without-deadline", without_deadline,
               "nodes that trust their lease for ever: the fence alone holds");
  CLI11_PARSE(app, argc, argv);
  plan.duration = std::chrono::seconds(static_cast<int>(minutes * 60));
  plan.reads_must_be_fresh = !without_deadline;
  if (without_deadline)
    plan.program = RAHATD_WITHOUT_DEADLINE;
  if (!only.empty())
    plan.among.clear();
  for (const auto& name : only)
    for (auto one : rahat::test::all_faults)
      if (name == rahat::test::name_of(one))
        plan.among.push_back(one);
  if (plan.among.empty()) {
    std::cerr << "no such fault; there are:";
    for (auto one : rahat::test::all_faults)
      std::cerr << ' ' << rahat::test::name_of(one);
    std::cerr << '\n';
    return 2;
  }
  try {
    const auto report = rahat::test::run_chaos(plan);
    std::cout << rahat::test::to_text(report);
    return report.wrong.empty() ? 0 : 1;
  } catch (const std::exception& failed) {
    std::cerr << "chaos: " << failed.what() << '\n';
    return 1;
  }
}
