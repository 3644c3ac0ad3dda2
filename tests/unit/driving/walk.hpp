#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "persistence/memory/memory_membership.hpp"
#include "runtime/cluster/driving/pilot.hpp"
#include "runtime/cluster/self_deadline.hpp"
#include "tests/support/seeded_random.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rahat::test {

/// What a walk has met, summed over seeds: a walk that never meets it proves nothing.
struct walk_counts {
  int taken = 0, of_the_dead = 0, released = 0, fenced = 0, cut_short = 0, ended = 0, paused = 0,
      lost = 0, drains = 0;
};

/// One start of a node: pilot and mover of production over a twin of the tables; hosts, writer and
/// lease are as little as is needed. Moves by `turn`, by the dice.
class walking_node final : public shard_store,
                           public local_shards,
                           public rahat::lease,
                           cluster::mover_probe {
public:
  walking_node(cluster::member_id id, std::shared_ptr<memory_cluster> database, hand_clock& time,
               seeded_random& dice, walk_counts& counts);
  ~walking_node() override;

  /// Whatever is due, or comes about.
  void turn();
  void renew();
  /// Stops in the middle of everything; what it asked of the tables may still land.
  std::unique_ptr<memory_membership> crash();

  // -- the ports ------------------------------------------------------------------------------
  void adopt(const shard_grant& shard) override;
  void give_up(shard_id shard, std::int64_t epoch,
               std::function<void(std::variant<shard_grant, error>)> done) override;
  void open(shard_id shard) override;
  void hand_over(shard_id shard, std::function<void()> done) override;
  void drop(shard_id shard) override;
  bool valid() const override;
  std::optional<std::int64_t> steady_since_us() const override;
  std::int64_t clock_offset_us() const override;

  struct served {
    bool open = false;  // its hosts run
    bool stuck = false; // and do not finish when they are asked to
    std::int64_t epoch = 0;
    std::function<void()> drained;
  };

  const cluster::member_id id;
  std::array<served, shard_count> shards;
  bool over = false; // its incarnation
  bool away = false; // it does not reach the tables
  std::int64_t paused_until_us = 0;
  std::unique_ptr<memory_membership> tables;
  std::unique_ptr<cluster::mover> moves;
  std::unique_ptr<cluster::pilot> hand;

private:
  struct letter {
    shard_id shard = 0;
    std::optional<shard_grant> adopted; // else given up, or a commit
    std::int64_t epoch = 0;             // given up
    std::function<void(std::variant<shard_grant, error>)> leaving;
  };

  struct head {
    bool owned = false;
    shard_grant at;
  };

  bool chance(std::uint64_t one_in) { return dice_.less_than(one_in) == 0; }
  void work_hosts();
  void write_one();
  void commit(shard_id shard, head& to);

  void shard_taken(shard_id, bool of_the_dead) override;
  void shard_released(shard_id, double) override { ++counts_.released; }
  void shard_fenced(shard_id) override { ++counts_.fenced; }
  void drain_cut_short(shard_id) override { ++counts_.cut_short; }

  std::shared_ptr<memory_cluster> database_;
  hand_clock& time_;
  seeded_random& dice_;
  walk_counts& counts_;
  cluster::shard_map owners_;
  cluster::pilot_probe probe_;
  cluster::self_deadline deadline_;
  std::int64_t renewed_us_ = 0;
  std::deque<letter> letters_;
  std::array<head, shard_count> heads_;
  std::vector<std::function<void()>> preparing_;
};

/// Some nodes, their database and everything that goes wrong, from one seed.
class walk {
public:
  walk(std::uint64_t seed, std::uint8_t nodes, walk_counts& counts);
  ~walk();

  void run(std::chrono::milliseconds time, bool faults);
  /// Nothing goes wrong any more; what was away comes back.
  void heal();
  /// Empty: every shard is open exactly once, where it is assigned to. Else a sentence.
  std::string unsettled() const;

  std::vector<std::string> broken; // promises that were not kept

private:
  struct seat {
    enrolment who;
    std::unique_ptr<walking_node> node; // null: it does not run
    std::int64_t starts_us = 0;
    bool drained = false;
  };

  void start(seat& s);
  void stop(seat& s);
  void misfortune();
  void check();

  hand_clock time_;
  seeded_random dice_;
  walk_counts& counts_;
  std::shared_ptr<memory_cluster> database_;
  std::vector<seat> seats_;
  std::vector<std::unique_ptr<memory_membership>> ghosts_; // of nodes that have crashed
};

} // namespace rahat::test
