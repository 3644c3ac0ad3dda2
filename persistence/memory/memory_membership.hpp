#pragma once

#include "persistence/memory/memory_cluster.hpp"
#include "runtime/ports/membership_store.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

namespace rahat {

/// How a twin of one node is driven.
struct memory_membership_options {
  enum class drive {
    immediate, // each call answers before it returns, from the caller's thread
    manual,    // calls wait until `run_one`, `run_move` or `run_ending`
  };
  drive mode = drive::immediate;
  /// As membership_limits of the real one; beyond: errc::overloaded.
  std::size_t waiting_calls = 64;
  std::size_t waiting_moves = shard_count + 64;
  std::size_t waiting_endings = 64;
};

/// One node's twin of the store of membership, over the tables that it shares with the others.
/// Deterministic: what happens depends on the order of calls and steps only. Thread-safe; calls out
/// without its lock.
class memory_membership final : public membership_store {
public:
  using options = memory_membership_options;

  memory_membership(std::shared_ptr<memory_cluster> database, cluster::member_id me,
                    options how = {});
  ~memory_membership() override; // what waits is answered as unavailable

  // -- faults: of this node's way to the database -------------------------------------------

  /// The database cannot be reached: nothing happens, and everything is answered as unavailable.
  void away(bool yes);
  /// Each call that is asked from now on takes that many steps more (manual drive).
  void slow(std::uint32_t steps);
  /// The next n calls happen, and are answered as unavailable.
  void lose_answers(std::uint32_t calls = 1);

  // -- steps --------------------------------------------------------------------------------

  /// The next reading, vote or change; false if none waits.
  bool run_one();
  /// The next take or release.
  bool run_move();
  /// The next end of sessions.
  bool run_ending();
  std::size_t waiting() const;
  void stop();

  // -- the port -----------------------------------------------------------------------------

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

private:
  struct call {
    std::uint32_t steps = 0;             // still to wait
    std::function<void(bool heard)> run; // happens; `heard`: and is answered
    std::function<void(error)> refuse;
  };
  using queue = std::deque<call>;

  template <class T>
  void ask(queue& where, std::size_t bound, callback<T> done,
           std::function<std::variant<T, error>()> work);
  bool step(queue& where);
  void perform(call c);

  const std::shared_ptr<memory_cluster> database_;
  const cluster::member_id me_;
  const options how_;
  const std::string generation_; // that this node joined

  mutable std::mutex mutex_; // guards everything below
  bool away_ = false;
  bool stopped_ = false;
  std::uint32_t slow_ = 0;
  std::uint32_t lost_answers_ = 0;
  queue calls_;
  queue moves_;
  queue endings_;
};

} // namespace rahat
