#pragma once

#include "bench/bench_cluster.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace rahat::bench {

/// A project in every shard.
std::map<shard_id, std::string> project_a_shard(api& node);

/// One command and its answer, both on the clock of now_seconds(); what was sent again counts from
/// the first time.
struct exchange {
  double sent = 0;
  double answered = 0;
  unsigned sendings = 1;
};

/// Sends a funding until it is accepted: again with the same key when it was refused as retryable,
/// and to the next node when nobody answered. Used by one thread.
class funding_client {
public:
  /// `urls` must not be empty; the one at `first` is asked as long as it answers.
  funding_client(const std::vector<std::string>& urls, std::size_t first, const std::string& token);

  /// Throws std::runtime_error when it is refused for good, or for longer than a minute.
  exchange fund(const std::string& project);

private:
  std::vector<std::unique_ptr<ctl::client>> nodes_;
  std::size_t at_;
};

/// A client for each of some shards: funds, waits for the answer, pauses, funds again. The clients
/// are spread over the nodes named. Stopped at the latest when it goes.
class shard_load {
public:
  struct plan {
    std::map<shard_id, std::string> projects; // of the shards that are wanted
    std::vector<std::string> urls;
    std::string token;
    std::chrono::milliseconds pause{25};
  };

  explicit shard_load(plan what);
  ~shard_load();

  shard_load(const shard_load&) = delete;
  shard_load& operator=(const shard_load&) = delete;

  /// Waits until every shard has accepted a command that was sent from now on.
  void pass();

  /// What every shard's client has sent, in order. Throws std::runtime_error when one of them was
  /// refused for good.
  std::map<shard_id, std::vector<exchange>> stop();

private:
  void run(std::size_t client, shard_id shard, const std::string& project);

  plan plan_;
  std::atomic<bool> over_{false};
  std::mutex mutex_; // guards the two below
  std::map<shard_id, std::vector<exchange>> seen_;
  std::string fault_;
  std::vector<std::thread> threads_;
};

/// The projects of these shards only.
std::map<shard_id, std::string> only(const std::map<shard_id, std::string>& projects,
                                     const std::set<shard_id>& shards);

} // namespace rahat::bench
