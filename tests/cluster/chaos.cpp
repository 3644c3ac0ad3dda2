#include "tests/cluster/chaos.hpp"

#include "tests/cluster/checker.hpp"
#include "tests/cluster/town.hpp"
#include "tests/support/eventually.hpp"

#include <poll.h>
#include <unistd.h>
#include <functional>
#include <iostream>
#include <sstream>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto taken_limit = 15s; // the lease of 3 s, what others need to take shards, and patience
constexpr int longest_down_ms = 6'000;
constexpr auto postgres_away_for = 5s;
constexpr auto calm_after = 2s;             // at least, between two random faults
constexpr auto calm_between_listed = 500ms; // those find the cluster well
constexpr int calm_more_ms = 3'000;
constexpr auto commit_limit = 3s; // for a commit to come to the gate
constexpr auto end_limit = 30s;   // for a node that woke up dead to end itself
constexpr auto rest_limit = 120s;
constexpr int look_every_ms = 20;
constexpr int metrics_every_ms = 250;

/// One run: the cluster, its load, and whoever does it harm.
class chaos {
public:
  explicit chaos(const chaos_plan& plan)
      : plan_(plan), dice_(plan.seed), cluster_({plan.nodes, plan.program, {}}) {
    who_ = populate(cluster_);
    gate_ = std::make_unique<commit_gate>(cluster_.owner_conninfo());
  }

  chaos_report run();

private:
  void do_harm(chaos_report& out);
  void strike(fault what, chaos_report& out);
  void kill(std::size_t i);
  void freeze(std::size_t i, bool in_commit, chaos_report& out);
  bool hold_a_commit(std::size_t i);
  void calm(std::chrono::milliseconds howlong);
  void calm_until(const std::function<bool()>& enough, std::chrono::milliseconds limit);
  bool owns_shards(std::size_t i) const;
  void say(const std::string& what);
  void keep_evidence(chaos_report& out);
  void finish(chaos_report& out, mixed_load& load, payments* paid);

  const chaos_plan plan_;
  std::mt19937_64 dice_;
  cluster_process cluster_;
  std::unique_ptr<people> who_;
  std::unique_ptr<commit_gate> gate_;
  history book_;
};

void chaos::say(const std::string& what) {
  book_.note(what);
  std::cout << '[' << book_.now_ms() << " ms] " << what << std::endl;
}

/// Time passes; whatever ends is started again, and counters are read.
void chaos::calm(std::chrono::milliseconds howlong) {
  calm_until([] { return false; }, howlong);
}

void chaos::calm_until(const std::function<bool()>& enough, std::chrono::milliseconds limit) {
  const auto until = steady::now() + limit;
  auto next_look = steady::now();
  while (steady::now() < until && !enough()) {
    cluster_.tend();
    if (steady::now() >= next_look) {
      cluster_.look_at_metrics();
      next_look = steady::now() + std::chrono::milliseconds(metrics_every_ms);
    }
    ::poll(nullptr, 0, look_every_ms);
  }
}

bool chaos::owns_shards(std::size_t i) const {
  return ledger{cluster_.owner_conninfo()}.number("SELECT count(*) FROM shard WHERE owner = '" +
                                                  cluster_.uuid_of(i) + "'") > 0;
}

void chaos::kill(std::size_t i) {
  cluster_.look_at_metrics();
  cluster_.kill(i);
  const bool at_once = dice_() % 2 == 0; // else others may have taken its shards
  calm(std::chrono::milliseconds(dice_() % (at_once ? 500 : longest_down_ms)));
  cluster_.start(i);
}

bool chaos::hold_a_commit(std::size_t i) {
  gate_->close(cluster_.uuid_of(i));
  const auto held = eventually([this] { return gate_->waiting() > 0; }, commit_limit, 1);
  gate_->let_others_pass();
  return held;
}

void chaos::freeze(std::size_t i, bool in_commit, chaos_report& out) {
  bool held = in_commit && hold_a_commit(i);
  out.commits_held += held ? 1 : 0;
  cluster_.node(i).freeze();
  if (in_commit && !held)
    gate_->open();
  calm_until([&] { return !owns_shards(i); }, taken_limit);
  if (owns_shards(i))
    out.wrong.push_back("nobody has taken the shards of node " + std::to_string(i));
  const bool open_first = dice_() % 2 == 0; // the held commit, or the node, comes back first
  if (held && open_first)
    gate_->open();
  cluster_.node(i).thaw();
  const auto stops = cluster_.losses().self_stops;
  calm_until([&] { return cluster_.losses().self_stops != stops; }, end_limit);
  if (cluster_.losses().self_stops == stops)
    out.wrong.push_back("node " + std::to_string(i) + " was dead when it woke up and lives on");
  gate_->open();
}

void chaos::strike(fault what, chaos_report& out) {
  const auto i = dice_() % cluster_.count();
  const bool of_node = what != fault::restart_postgres && what != fault::stop_postgres;
  say(std::string{name_of(what)} + (of_node ? " " + std::to_string(i) : ""));
  ++out.faults;
  switch (what) {
    case fault::kill_node: return kill(i);
    case fault::freeze_node: return freeze(i, false, out);
    case fault::freeze_in_commit: return freeze(i, true, out);
    case fault::restart_postgres: return cluster_.restart_postgres_at_once();
    case fault::stop_postgres:
      cluster_.stop_postgres();
      calm(postgres_away_for);
      return cluster_.start_postgres();
  }
}

void chaos::do_harm(chaos_report& out) {
  for (auto what : plan_.schedule) {
    cluster_.wait_settled(rest_limit);
    calm(calm_between_listed);
    strike(what, out);
  }
  const auto end = steady::now() + plan_.duration;
  while (plan_.schedule.empty() && steady::now() < end) {
    calm(calm_after + std::chrono::milliseconds(dice_() % calm_more_ms));
    strike(plan_.among[dice_() % plan_.among.size()], out);
  }
  calm(plan_.schedule.empty() ? calm_after : calm_between_listed);
}

void chaos::finish(chaos_report& out, mixed_load& load, payments* paid) {
  say("waiting for rest");
  cluster_.wait_settled(rest_limit);
  const auto seen = load.stop();
  out.posts = seen.posts;
  out.reads = seen.reads;
  out.stale_reads = seen.stale_reads;
  out.slowest_ms = seen.slowest_ms;
  out.wrong.insert(out.wrong.end(), seen.faults.begin(), seen.faults.end());
  if (paid != nullptr) {
    paid->finish();
    calm_until([&] { return paid->done(); }, rest_limit);
    if (!paid->done())
      throw std::runtime_error("the disbursement under way does not come to its end");
    paid->stop();
    out.disbursements = paid->lists().size();
  }
  cluster_.look_at_metrics();
  say("checking " + std::to_string(book_.size()) + " requests");
  auto wrong = checker{cluster_, *who_, book_}.everything(paid);
  out.wrong.insert(out.wrong.end(), wrong.begin(), wrong.end());
  out.losses = cluster_.losses();
}

void chaos::keep_evidence(chaos_report& out) {
  const std::filesystem::path folder =
      "/tmp/rahat-chaos-" + std::to_string(plan_.seed) + "-" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  for (std::size_t i = 0; i < cluster_.count(); ++i)
    std::filesystem::copy_file(cluster_.node(i).log_file(),
                               folder / ("node-" + std::to_string(i) + ".log"),
                               std::filesystem::copy_options::overwrite_existing);
  out.history = folder / "history.jsonl";
  book_.write(out.history);
}

chaos_report chaos::run() {
  chaos_report out;
  say("seed " + std::to_string(plan_.seed) + ", " + std::to_string(plan_.nodes) + " nodes, " +
      std::to_string(plan_.lines) + " lines");
  load_plan how;
  how.seed = plan_.seed;
  how.how.hasty = true;
  how.reads_must_be_fresh = plan_.reads_must_be_fresh;
  mixed_load load{cluster_, *who_, book_, how};
  std::unique_ptr<payments> paid;
  if (plan_.lines > 0)
    paid = std::make_unique<payments>(cluster_, *who_, book_, plan_.lines, plan_.seed);
  try {
    load.start();
    if (paid)
      paid->start();
    do_harm(out);
    finish(out, load, paid.get());
  } catch (const std::exception& failed) {
    out.wrong.push_back(failed.what());
    out.losses = cluster_.losses();
  }
  if (!out.wrong.empty())
    keep_evidence(out);
  return out;
}

} // namespace

chaos_report run_chaos(const chaos_plan& plan) {
  return chaos{plan}.run();
}

std::string to_text(const chaos_report& r) {
  std::ostringstream out;
  out << r.faults << " faults, " << r.commits_held << " commits held inside Postgres; "
      << r.losses.self_stops << " self-stops, " << r.losses.failed_starts
      << " failed starts; fenced: " << r.losses.fenced_writes << " writes and "
      << r.losses.fenced_shards << " shards counted, " << r.losses.fences_logged << " logged\n"
      << r.posts << " fundings (slowest " << r.slowest_ms << " ms), " << r.reads << " reads ("
      << r.stale_reads << " stale), " << r.disbursements << " disbursements\n";
  for (const auto& w : r.wrong)
    out << "WRONG: " << w << '\n';
  if (!r.wrong.empty())
    out << "history and logs: " << r.history.parent_path().string() << '\n';
  return out.str();
}

} // namespace rahat::test
