#include "bench/bench_node.hpp"
#include "bench/distribution.hpp"
#include "bench/process.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

/// The most memory that a node and its Postgres hold together while a register is imported, locked
/// and paid.
namespace rahat::bench {

namespace {

constexpr std::chrono::milliseconds sample_every{250};
constexpr double limit_bytes = 4.0 * 1024 * 1024 * 1024;
constexpr double mib = 1024.0 * 1024;

/// Looks at the node and its descendants (Postgres is one) until it is destroyed.
class sampler {
public:
  explicit sampler(pid_t node) : thread_([this, node] { watch(node); }) {}

  ~sampler() { stop(); }

  double stop() {
    over_ = true;
    if (thread_.joinable())
      thread_.join();
    return most_;
  }

private:
  void watch(pid_t node) {
    while (!over_) {
      most_ = std::max(most_, pss_bytes(node));
      std::this_thread::sleep_for(sample_every);
    }
  }

  double most_ = 0;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

} // namespace

std::vector<measurement> peak_memory(const settings& how) {
  bench_node node{how};
  sampler watching{node.pid()};
  distribution all{node, how, how.lines};
  all.lock();
  all.approve_and_pay();
  return {{"peak_memory", watching.stop() / mib, "MiB", limit_bytes / mib, at_most(1.0)}};
}

} // namespace rahat::bench
