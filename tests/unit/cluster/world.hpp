#pragma once

#include "runtime/cluster/self_deadline.hpp"
#include "tests/unit/cluster/scene.hpp"
#include "tests/unit/cluster/store_twin.hpp"

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace rahat::cluster {

/// Nodes that run the real rules against `store_twin`, with their links, pauses and clocks, all
/// from one seed. Statements take time: some were sent before a pause and land in the middle of it,
/// some wait in a process that sleeps and are sent when it wakes, without looking at its lease
/// again.
class world {
public:
  world(std::uint64_t seed, std::uint8_t nodes);

  void run(std::int64_t for_us);

  /// True if all nodes run and agree on one view, in which all of them are active, and every shard
  /// is owned by whom it is assigned to.
  bool settled() const;

  // Faults. `calm_since_us` is the moment of the last change of any of them.
  void heal();
  void cut_groups(const std::vector<std::uint8_t>& group_of);
  void cut_one_way(std::uint8_t from, std::uint8_t to);
  void cut_store(std::uint8_t n);
  void pause(std::uint8_t n, std::int64_t for_us);
  void crash(std::uint8_t n);
  void leave(std::uint8_t n);
  void drain(std::uint8_t n);
  void outage(std::int64_t for_us);
  void set_database_clock(std::int64_t by_us);

  std::uint8_t size() const { return static_cast<std::uint8_t>(nodes_.size()); }
  std::uint64_t dice(std::uint64_t below) { return dice_() % below; }
  std::string str() const;

  store_twin store;
  std::vector<std::string> broken; // promises that were not kept
  struct {
    int lapsed = 0, voted = 0, stopped = 0, late = 0, left = 0;
  } seen;

private:
  struct statement {
    std::int64_t due_us;
    std::int64_t sent_us; // nodes' own time is the world's plus an offset
    bool under_way;       // sent before whatever happened to its node
    action what;
    shard_id shard = 0; // release is one statement a shard
  };

  struct node_state {
    member_id id;
    bool running = true;
    std::int64_t start_us = 0; // when it starts again
    std::int64_t paused_until_us = 0;
    std::int64_t well_since_us = 0; // running, not paused, reaching the store
    bool store_reached = true;
    wish wanted = wish::belong;
    self_deadline deadline;
    view last_view;
    std::vector<peer_reading> readings;
    std::vector<shard_id> draining;
    std::deque<statement> statements;
    std::int64_t next_look_us = 0;
    std::int64_t next_probe_us = 0;
  };

  std::int64_t boot(std::size_t n) const {
    return time_us_ + static_cast<std::int64_t>(n + 1) * 1'000 * second;
  }

  bool awake(const node_state& n) const { return n.running && n.paused_until_us <= time_us_; }
  bool reaches_store(const node_state& n) const {
    return n.store_reached && time_us_ >= outage_until_us_;
  }

  void tick();
  void start(std::size_t n);
  void stop(std::size_t n);
  void look(std::size_t n);
  void probe(std::size_t n);
  void send(std::size_t n, const action& what);
  void perform(std::size_t n);
  void carry_out(std::size_t n, const statement& s, bool answered);
  bool apply(std::size_t n, const statement& s);
  void check_take(std::size_t n, const take& what);
  void check_death(const declare_dead& what);
  void changed() { calm_since_us_ = time_us_; }
  void unwell(std::size_t n);

  std::mt19937_64 dice_;
  std::int64_t time_us_ = 3'600 * second;
  std::int64_t database_offset_us_ = 77'000 * second;
  std::int64_t calm_since_us_ = 0;
  std::int64_t outage_until_us_ = 0;
  std::int64_t clock_set_us_ = 0;
  std::vector<std::uint8_t> group_of_;
  std::vector<std::vector<bool>> cut_; // [from][to]
  bool one_way_cuts_ = false;
  std::vector<node_state> nodes_;
};

} // namespace rahat::cluster
