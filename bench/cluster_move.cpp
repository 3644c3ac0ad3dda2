#include "bench/distribution.hpp"
#include "bench/shard_load.hpp"

#include <algorithm>
#include <stdexcept>

/// One node of three is drained and gets its shards back: the longest time that one of them
/// accepted nothing, under single commands alone and beside payments that never stop.
namespace rahat::bench {

namespace {

constexpr std::size_t nodes = 3;
constexpr std::size_t moved = 1; // not the node that the payments are followed at
constexpr double alone_limit_ms = 300;
constexpr double bulk_limit_ms = 1'000;
constexpr double drain_limit_seconds = 60;
constexpr std::uint64_t bulk_lines = 200'000;
constexpr std::chrono::seconds steady_time{2};
constexpr std::chrono::milliseconds look_every{10};

/// Milliseconds without a success: of the shard that was away for longest, and of the middle one.
struct gap {
  double longest = 0;
  double middle = 0;
};

std::string told(const gap& g) {
  return std::to_string(g.longest) + " (" + std::to_string(g.middle) + ")";
}

struct away {
  gap before; // with nothing moving: what the load itself costs
  gap out, back;
};

struct side {
  std::vector<double> before, out, back;
};

/// Locks and pays, again and again, on a thread of its own, until it goes.
class bulk_work {
public:
  explicit bulk_work(distribution& what) : what_(what), thread_([this] { run(); }) {}
  ~bulk_work() { join(); }

  bulk_work(const bulk_work&) = delete;
  bulk_work& operator=(const bulk_work&) = delete;

  /// Throws what ended it early.
  void stop() {
    join();
    if (!fault_.empty())
      throw std::runtime_error("the payments ended: " + fault_);
  }

private:
  void run() {
    try {
      while (!over_) {
        what_.lock();
        what_.approve_and_pay();
      }
    } catch (const std::exception& e) {
      fault_ = e.what();
    }
  }

  void join() {
    over_ = true;
    if (thread_.joinable())
      thread_.join();
  }

  distribution& what_;
  std::atomic<bool> over_{false};
  std::string fault_;
  std::thread thread_;
};

/// The longest time between two commands that one shard accepted, of those that ended in a span.
/// The client's own pause is in it: what is given is too long rather than too short.
gap longest_ms(const std::map<shard_id, std::vector<exchange>>& seen, double from, double to) {
  std::vector<double> longest;
  for (auto& [shard, all] : seen) {
    double of_shard = 0;
    for (std::size_t i = 1; i < all.size(); ++i)
      if (all[i].answered >= from && all[i].answered < to)
        of_shard = std::max(of_shard, all[i].answered - all[i - 1].answered);
    longest.push_back(of_shard * 1e3);
  }
  return {*std::max_element(longest.begin(), longest.end()), median(longest)};
}

void wait_empty(const bench_cluster& cluster) {
  for (const auto began = now_seconds(); !cluster.shards_of(moved).empty();) {
    if (now_seconds() - began > drain_limit_seconds)
      throw std::runtime_error("the node does not get rid of its shards");
    std::this_thread::sleep_for(look_every);
  }
}

away move(bench_cluster& cluster, const std::map<shard_id, std::string>& projects) {
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < cluster.size(); ++i)
    urls.push_back(cluster.url_of(i));
  const auto shards = cluster.shards_of(moved);
  shard_load load{{.projects = only(projects, shards), .urls = urls, .token = cluster.token()}};
  load.pass();
  const auto steady = now_seconds();
  std::this_thread::sleep_for(steady_time);
  const auto drained = now_seconds();
  cluster.drain(moved, true);
  wait_empty(cluster);
  load.pass();
  const auto returned = now_seconds();
  cluster.drain(moved, false);
  cluster.settle();
  load.pass();
  const auto over = now_seconds();
  const auto seen = load.stop();
  const away got{longest_ms(seen, steady, drained), longest_ms(seen, drained, returned),
                 longest_ms(seen, returned, over)};
  say(std::to_string(shards.size()) + " shards, drained in " + std::to_string(returned - drained) +
      " s and back in " + std::to_string(over - returned) +
      " s; longest without a success, in brackets of the middle shard: " + told(got.before) +
      " ms before, " + told(got.out) + " ms out, " + told(got.back) + " ms back");
  return got;
}

void add(side& to, const away& one) {
  to.before.push_back(one.before.longest);
  to.out.push_back(one.out.longest);
  to.back.push_back(one.back.longest);
}

double largest(const std::vector<double>& of) {
  return *std::max_element(of.begin(), of.end());
}

} // namespace

std::vector<measurement> cluster_move(const settings& how) {
  bench_cluster cluster{how, nodes};
  const auto projects = project_a_shard(cluster);
  side alone, beside;
  for (unsigned round = 0; round < how.rounds; ++round)
    add(alone, move(cluster, projects));
  distribution all{cluster, how, std::min(how.lines, bulk_lines)};
  bulk_work payments{all};
  for (unsigned round = 0; round < how.rounds; ++round)
    add(beside, move(cluster, projects));
  payments.stop();
  return {{"cluster_move", largest(alone.out), "ms", alone_limit_ms, at_most(1.0)},
          {"cluster_move_back", largest(alone.back), "ms", alone_limit_ms, at_most(1.0)},
          {"cluster_move_none", largest(alone.before), "ms", {}, {}},
          {"cluster_move_bulk", largest(beside.out), "ms", bulk_limit_ms, at_most(1.0)},
          {"cluster_move_bulk_back", largest(beside.back), "ms", bulk_limit_ms, at_most(1.0)},
          {"cluster_move_bulk_none", largest(beside.before), "ms", {}, {}}};
}

} // namespace rahat::bench
