#pragma once

#include "persistence/cluster/lane.hpp"
#include "persistence/lease/generation.hpp"
#include "persistence/lease/node_identity.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/membership_store.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace rahat {

namespace membership_limits {
/// Readings, votes and changes that wait; beyond: errc::overloaded, from the caller's own thread.
inline constexpr std::size_t waiting_calls = 64;
/// Takes and releases that wait: one of each shard, and some that nobody waits for any more.
/// Beyond: overloaded.
inline constexpr std::size_t waiting_moves = shard_count + waiting_calls;
/// Former owners whose sessions have to end. Beyond: overloaded.
inline constexpr std::size_t waiting_endings = 64;
/// From being asked to the answer.
inline constexpr std::chrono::milliseconds call{1'000};
/// From a take's or release's turn to its answer: longer than it may wait for the shard's row.
inline constexpr std::chrono::milliseconds move{3'000};
inline constexpr std::chrono::milliseconds lock_timeout{2'000};
inline constexpr std::chrono::milliseconds end_sessions{10'000};
} // namespace membership_limits

/// The tables of membership and ownership in Postgres, on three threads with a connection each:
/// readings, votes and changes on one ("membership"), takes and releases on another ("shards"), and
/// one that ends sessions ("endings"): a reading never waits for a shard's row, nor a shard that is
/// free or to be released for sessions that take their time to end. They connect when they are
/// used, and again after a loss; then everything that waits there is answered as unavailable.
/// A database of another generation is no database: unavailable (R8); the lease ends the process.
///
/// Callbacks come from these threads and must neither throw nor call stop(), nor destroy this.
class pg_membership final : public membership_store {
public:
  /// `me` comes from register_node, `now` from read_generation at the same start; `vote_expiry` is
  /// `membership_terms::vote_expiry_us`. `time` must outlive it; nullptr: the system's.
  pg_membership(const std::string& service_conninfo, node_identity me, generation now,
                lease_terms terms, std::chrono::microseconds vote_expiry,
                const clock* time = nullptr);
  ~pg_membership() override;

  /// Answers everything that waits as unavailable and joins the threads, within 3 seconds even if
  /// Postgres hangs. Later calls are unavailable. Idempotent.
  void stop();

  /// Its threads, for their owners.
  std::vector<part> parts();

  void read(callback<cluster_reading> done) override;
  void change(cluster::member_status from, cluster::member_status to, std::string why,
              std::int64_t view_version, callback<swap> done) override;
  void vote(const cluster::member_id& against, callback<swap> done) override;
  void withdraw(const cluster::member_id& against, callback<swap> done) override;
  void declare(const cluster::declare_dead& what, callback<swap> done) override;
  void wish(const uuid& node, bool drain, callback<swap> done) override;
  void raise_level(std::int32_t to, callback<std::string> done) override;

  /// errc::invalid_input for this incarnation itself or a later one.
  void end_sessions(const cluster::member_id& former, callback<int> done) override;
  void take(shard_id shard, callback<std::optional<shard_grant>> done) override;
  void release(const shard_grant& as_given_up, callback<swap> done) override;

private:
  const system_clock_port own_time_;
  const clock& time_;
  const node_identity me_;
  const std::string generation_; // raw
  const std::int64_t ttl_ms_;
  const std::int64_t vote_expiry_us_;
  pg::lane calls_;
  pg::lane moves_;
  pg::lane endings_;
};

} // namespace rahat
