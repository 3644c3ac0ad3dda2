#include "tests/cluster/load.hpp"

#include "tests/e2e/office.hpp"

#include <poll.h>
#include <algorithm>

namespace rahat::test {

namespace {

constexpr std::size_t max_faults = 20; // enough to see what is wrong
constexpr unsigned reads_of_100 = 30;
constexpr unsigned tries_of_a_read = 2;

void say(std::vector<std::string>& faults, std::string what) {
  if (faults.size() < max_faults)
    faults.push_back(std::move(what));
}

} // namespace

struct mixed_load::worker {
  client writes;
  client reads;
  std::vector<std::string> projects;
  load_result seen;
  std::thread thread;
};

people::people(const node_process& node)
    : maker(office::token_for(node, "asha", "maker")),
      checker(office::token_for(node, "bina", "checker")),
      reader(office::token_for(node, "dipa", "reader")) {}

mixed_load::mixed_load(const cluster_process& cluster, const people& who, history& book,
                       load_plan plan)
    : cluster_(cluster), book_(book), plan_(std::move(plan)) {
  for (std::size_t i = 0; i < plan_.workers; ++i) {
    auto seed = plan_.seed * 1'000 + i * 2;
    workers_.push_back(
        std::make_unique<worker>(worker{client{cluster_, who.maker, book_, seed, plan_.how},
                                        client{cluster_, who.reader, book_, seed + 1, plan_.how},
                                        {},
                                        {},
                                        {}}));
    auto& me = *workers_.back();
    for (std::size_t p = 0; p < plan_.projects_each; ++p) {
      auto made = me.writes.must("/v2/projects",
                                 {{"name", "Flood"}, {"type", "cash"}, {"currency", "NPR"}});
      me.projects.push_back(text(made, "id"));
      me.writes.must("/v2/projects/" + me.projects.back() + "/activate", json::object{});
      me.seen.projects[me.projects.back()];
    }
  }
}

mixed_load::~mixed_load() {
  ended_ = true;
  for (auto& one : workers_)
    if (one->thread.joinable())
      one->thread.join();
}

void mixed_load::start() {
  for (auto& one : workers_)
    one->thread = std::thread{[this, me = one.get()] { work(*me); }};
}

void mixed_load::work(worker& me) {
  try {
    while (!ended_) {
      auto& dice = me.writes.dice();
      const auto& project = me.projects[dice() % me.projects.size()];
      if (dice() % 100 < reads_of_100)
        look(me, project);
      else
        fund(me, project);
      ::poll(nullptr, 0, plan_.pause_ms);
    }
  } catch (const std::exception& failed) {
    say(me.seen.faults, std::string{"a worker ended: "} + failed.what());
  }
}

void mixed_load::fund(worker& me, const std::string& project) {
  const auto amount = static_cast<std::int64_t>(me.writes.dice()() % 1'000 + 1);
  const auto done =
      me.writes.post("/v2/projects/" + project + "/fundings",
                     {{"amount_minor", amount}, {"currency", "NPR"}, {"reference", "DONOR"}},
                     plan_.patience, amount);
  auto& seen = me.seen;
  ++seen.posts;
  seen.retried += done.attempts.size() > 1 ? 1 : 0;
  seen.retried_twice += done.attempts.size() > 2 ? 1 : 0;
  seen.slowest_ms = std::max(seen.slowest_ms, done.took_ms());
  if (!done.accepted())
    return say(seen.faults, "key " + done.key + " at " + project + " ended with " +
                                std::to_string(done.status) + " " + done.answer + " after " +
                                std::to_string(done.attempts.size()) +
                                " attempts; the last: " + done.attempts.back().fault);
  ++accepted_;
  auto& given = seen.projects[project];
  given.accepted_minor += amount;
  ++given.accepted;
}

/// Nobody else writes to this project: the read shows exactly what was accepted.
void mixed_load::look(worker& me, const std::string& project) {
  auto& seen = me.seen;
  ++seen.reads;
  const auto reply = me.reads.get("/v2/projects/" + project, tries_of_a_read);
  if (!reply.ok()) {
    ++seen.reads_failed;
    if (!worth_a_retry(reply))
      say(seen.faults, "GET " + project + ": " + std::to_string(reply.status) + " " + reply.body);
    return;
  }
  const auto shown = number(parse(reply), "funded_minor");
  const auto due = seen.projects[project].accepted_minor;
  const bool given_up = !seen.faults.empty(); // one of them may have landed
  if (shown == due || (shown > due && given_up))
    return;
  ++seen.stale_reads;
  if (plan_.reads_must_be_fresh)
    say(seen.faults, "a read of " + project + " at " + std::to_string(book_.now_ms()) +
                         " ms showed " + std::to_string(shown) + ", accepted were " +
                         std::to_string(due));
}

load_result mixed_load::stop() {
  ended_ = true;
  load_result all;
  for (auto& one : workers_) {
    if (one->thread.joinable())
      one->thread.join();
    auto& seen = one->seen;
    all.posts += seen.posts;
    all.retried += seen.retried;
    all.retried_twice += seen.retried_twice;
    all.reads += seen.reads;
    all.reads_failed += seen.reads_failed;
    all.stale_reads += seen.stale_reads;
    all.slowest_ms = std::max(all.slowest_ms, seen.slowest_ms);
    all.projects.insert(seen.projects.begin(), seen.projects.end());
    all.faults.insert(all.faults.end(), seen.faults.begin(), seen.faults.end());
  }
  return all;
}

} // namespace rahat::test
