#include "bench/bench_node.hpp"
#include "bench/distribution.hpp"
#include "bench/load.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

/// kill -9 of a node that is paying, with many entities in its journal: how soon a new process has
/// the work going again, and how long a client waits for an entity that is not in memory.
namespace rahat::bench {

namespace {

constexpr double resume_limit_seconds = 10;
constexpr double touch_limit_ms = 50;
constexpr std::uint64_t paying_lines = 200'000;
constexpr std::size_t touched = 1'000;
constexpr unsigned fill_seconds = 3;
constexpr double give_up_seconds = 120;

std::uint64_t number_from(const bench_node& node, const std::string& query) {
  return std::stoull(node.column(query).at(0));
}

void fill(const bench_node& node, std::uint64_t entities) {
  auto create = load::of_posts(node.folder(), {"/v2/projects"}, node.token(),
                               R"({"name":"Filler","type":"cash","currency":"NPR"})");
  std::uint64_t there = 0;
  while (there < entities) {
    create.run(node.url(), fill_seconds);
    there = number_from(node, "SELECT count(*) FROM query");
  }
  say(std::to_string(there) + " entities in the journal");
}

template <class Done>
void wait_for(const char* otherwise, Done done) {
  for (auto began = now_seconds(); !done();) {
    if (now_seconds() - began > give_up_seconds)
      throw std::runtime_error(otherwise);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// Kills the node in the middle of a payment; gives the seconds from the new process' start until
/// the payment goes on beyond what was there.
double kill_and_resume(bench_node& node, distribution& all) {
  all.lock();
  all.approve();
  all.begin_pay();
  wait_for("the payment did not begin", [&] { return all.transfers() >= all.lines() / 10; });
  node.kill_hard();
  auto before = all.transfers();
  if (before >= all.lines())
    throw std::runtime_error("the payment was over before the node was killed: --lines larger");
  auto began = now_seconds();
  auto ready = node.start_again();
  wait_for("the payment did not go on by itself",
           [&] { return all.completed() || all.lines_paid() > before; });
  auto resumed = now_seconds() - began;
  auto done = all.wait_completed(began);
  auto after = all.transfers();
  if (after != all.lines())
    throw std::runtime_error("after the crash " + std::to_string(after) +
                             " transfers were made"
                             " for " +
                             std::to_string(all.lines()) + " lines");
  say("killed at " + std::to_string(before) + " of " + std::to_string(all.lines()) +
      " lines; ready after " + std::to_string(ready) + " s, paying again after " +
      std::to_string(resumed) + " s, completed after " + std::to_string(done) + " s");
  return resumed;
}

/// The 99th percentile of first reads, in milliseconds. Each of them is in the journal only.
double touch_cold(const bench_node& node) {
  auto ids = node.column(
      "SELECT id FROM query WHERE kind = 'project' AND doc->>'name' = 'Filler'"
      " ORDER BY random() LIMIT " +
      std::to_string(touched));
  ctl::client asking{node.url(), node.token()};
  asking.get("/v2/projects?limit=1"); // connects
  std::vector<double> took;
  for (auto& id : ids) {
    auto began = now_seconds();
    if (!asking.get("/v2/projects/" + id).ok())
      throw std::runtime_error("project " + id + " cannot be read after the crash");
    took.push_back((now_seconds() - began) * 1e3);
  }
  std::sort(took.begin(), took.end());
  return took.at(took.size() * 99 / 100);
}

} // namespace

std::vector<measurement> recovery(const settings& how) {
  bench_node node{how};
  fill(node, how.entities);
  distribution all{node, how, std::min(how.lines, paying_lines)};
  std::vector<double> resumed, first_touch;
  for (unsigned round = 0; round < how.rounds; ++round) {
    resumed.push_back(kill_and_resume(node, all));
    first_touch.push_back(touch_cold(node));
    say("first touch p99 " + std::to_string(first_touch.back()) + " ms");
  }
  return {{"recovery", median(resumed), "s", resume_limit_seconds, at_most(1.0)},
          {"recovery_first_touch_p99", median(first_touch), "ms", touch_limit_ms, at_most(1.0)}};
}

} // namespace rahat::bench
