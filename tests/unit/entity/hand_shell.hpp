#pragma once

#include "runtime/entity/region.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace rahat {

/// Runs hosts one mail at a time, on the caller's thread, in an order that a seed decides; loses,
/// repeats and reorders what entities tell each other when asked to. Seed 0: in order of arrival.
class hand_shell {
public:
  explicit hand_shell(std::uint64_t seed) : seed_(seed), dice_(seed) {}

  host_spawner spawner();

  /// Gives one mail to one host. False: there was none.
  bool run_one();
  std::size_t run_all(std::size_t bound = 1'000'000);

  /// All hosts vanish, as after kill -9; whoever waits for them hears it from their mail.
  void vanish();

  std::size_t alive() const;
  std::size_t waiting() const;

  /// Percent of messages and acknowledgements that are lost, come twice, come out of order.
  int lose = 0;
  int repeat = 0;
  int shuffle = 0;

  /// Answers to lookups in the store are kept back until `let_found`.
  bool keep_found = false;
  void let_found();

  std::size_t told = 0;         // messages that were handed over
  std::size_t acknowledged = 0; // acknowledgements that were handed over
  std::function<void(const mail&)> watch;

private:
  struct cell {
    std::unique_ptr<host> entity;
    std::deque<mail> box;
    bool started = false;
  };

  void put(const std::shared_ptr<cell>& at, mail m);
  bool chance(int percent);
  void run(cell& c);

  std::uint64_t seed_;
  std::vector<std::pair<std::weak_ptr<cell>, mail>> found_;
  std::mt19937_64 dice_;
  std::vector<std::shared_ptr<cell>> cells_;
  std::size_t turn_ = 0;
};

} // namespace rahat
