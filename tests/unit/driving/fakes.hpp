#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "runtime/cluster/driving/mover.hpp"
#include "runtime/ports/lease.hpp"
#include "tests/support/seeded_random.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rahat::test {

/// Tables that answer when the test says so. Who is told `called` hears of each call by name,
/// while it is made.
class fake_tables final : public membership_store {
public:
  void read(callback<cluster_reading> done) override;
  void change(cluster::member_status from, cluster::member_status to, std::string why,
              std::int64_t view_version, callback<swap> done) override;
  void vote(const cluster::member_id& against, callback<swap> done) override;
  void withdraw(const cluster::member_id& against, callback<swap> done) override;
  void declare(const cluster::declare_dead& what, callback<swap> done) override;
  void wish(const uuid& node, bool drain, callback<swap> done) override;
  void raise_level(std::int32_t to, callback<std::string> done) override;
  void end_sessions(const cluster::member_id& former, callback<int> done) override;
  void take(shard_id shard, callback<std::optional<shard_grant>> done) override;
  void release(const shard_grant& as_given_up, callback<swap> done) override;

  template <class What, class T>
  using calls = std::vector<std::pair<What, callback<T>>>;

  std::function<void(const std::string&)> called = [](auto&) {};
  std::vector<callback<cluster_reading>> reads;
  calls<std::string, swap> changes; // in words: `active -> leaving`, `vote`, ...
  calls<cluster::member_id, int> ends;
  calls<shard_id, std::optional<shard_grant>> takes;
  calls<shard_grant, swap> releases;
};

class fake_writers final : public shard_store {
public:
  void adopt(const shard_grant& shard) override;
  void give_up(shard_id shard, std::int64_t epoch,
               std::function<void(std::variant<shard_grant, error>)> done) override;

  std::function<void(const std::string&)> called = [](auto&) {};
  std::map<shard_id, shard_grant> adopted;
  std::vector<std::int64_t> given_up_epochs;
  std::vector<std::pair<shard_id, std::function<void(std::variant<shard_grant, error>)>>> given_up;
};

class fake_hosts final : public local_shards {
public:
  void open(shard_id shard) override;
  void hand_over(shard_id shard, std::function<void()> done) override;
  void drop(shard_id shard) override;

  std::function<void(const std::string&)> called = [](auto&) {};
  std::vector<std::pair<shard_id, std::function<void()>>> handed_over;
  bool drop_tells = false; // that the shard is drained, as the region does
};

class fake_lease final : public rahat::lease {
public:
  bool valid() const override { return runs; }
  std::optional<std::int64_t> steady_since_us() const override { return steady; }
  std::int64_t clock_offset_us() const override { return offset; }

  bool runs = true;
  std::optional<std::int64_t> steady;
  std::int64_t offset = 0;
};

/// A mover among fakes. Shards are taken, opened and released by their calls; `events` says what it
/// asked of the others, `told` what it told, both in order.
class mover_scene {
public:
  explicit mover_scene(cluster::mover_limits limits = {});

  /// From `away` to the phase, by the shortest way.
  void bring(shard_id shard, cluster::shard_phase to);
  void tick_after(std::chrono::milliseconds time);
  /// Rows as `seen` has them, with this one changed.
  void row(shard_id shard, cluster::member_id owner, std::int64_t epoch);
  void forget();

  static const cluster::member_id me, other;
  static inline const error unavailable{errc::unavailable, "no answer", {}};

  hand_clock time;
  cluster::shard_map owners;
  fake_tables tables;
  fake_writers writers;
  fake_hosts hosts;
  cluster_reading seen; // `me` is active, `other` is dead, every shard is free
  std::vector<std::pair<shard_id, std::function<void()>>> preparing;
  std::vector<std::string> events;
  std::vector<std::string> told;
  std::map<std::string, int> counted;

  struct counting final : cluster::mover_probe {
    explicit counting(mover_scene& s) : scene(s) {}
    void shard_taken(shard_id, bool of_the_dead) override;
    void shard_released(shard_id, double seconds) override;
    void shard_fenced(shard_id) override;
    void drain_cut_short(shard_id) override;
    void sessions_ended(const cluster::member_id&, int) override;
    void sessions_stay(const cluster::member_id&, const std::string&) override;
    mover_scene& scene;
    double seconds = 0;
  } probe{*this};

  std::unique_ptr<cluster::mover> moves; // last: it calls the rest
};

} // namespace rahat::test
