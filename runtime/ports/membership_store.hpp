#pragma once

#include "runtime/cluster/membership_actions.hpp"
#include "runtime/cluster/view.hpp"
#include "runtime/cluster/votes.hpp"
#include "runtime/decider/error.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rahat {

/// What a node says of itself when it joins.
struct enrolment {
  uuid node;
  std::int64_t least_incarnation = 1; // above the last one that the data folder remembers
  std::string name;                   // for people
  std::string address;                // where peers dial it; empty: it is alone
  std::uint16_t port = 0;
  std::string operators; // its internal listener, for people
  std::string build;
  std::int32_t build_level = 1;
  std::string key_check; // of the master key: all nodes seal alike
};

/// A row of table `shard`; the nil owner is nobody.
struct shard_place {
  cluster::member_id owner;
  std::int64_t epoch = 0;
  bool this_generation = true; // false: left from before a promotion or a restore
};

/// One reading, of one moment.
struct cluster_reading {
  std::int64_t database_now_us = 0;
  cluster::view now;
  std::vector<cluster::vote> votes;
  std::array<shard_place, shard_count> shards;
  bool drain = false; // an operator wishes this node to give its shards away
};

/// A shard that this incarnation now owns, and where its chain stands.
struct shard_grant {
  shard_id shard = 0;
  std::int64_t epoch = 0;         // the fence of all its commits
  std::int64_t head_position = 0; // the last journal position given out
  std::string head_hash;          // 32 bytes
};

/// What became of a compare-and-swap.
enum class swap {
  done,
  stale,   // the view has moved on: read again
  refused, // it is not true any more: read again
};

/// The tables of membership and ownership, in the name of one incarnation. Thread-safe, never
/// blocks; each callback comes once, from a thread of the store, with errc::unavailable when the
/// database did not answer in time (1 s; end_sessions 10 s): the change may have happened, read
/// again. Readings and votes never wait for takes. Two implementations pass one conformance suite.
/// Protocols: docs/protocols/membership.md, moves.md.
class membership_store {
public:
  template <class T>
  using callback = std::function<void(std::variant<T, error>)>;

  virtual ~membership_store() = default;

  virtual void read(callback<cluster_reading> done) = 0;

  /// The own row: activate, begin_leave, stay, leave.
  virtual void change(cluster::member_status from, cluster::member_status to, std::string why,
                      std::int64_t view_version, callback<swap> done) = 0;
  virtual void vote(const cluster::member_id& against, callback<swap> done) = 0;
  virtual void withdraw(const cluster::member_id& against, callback<swap> done) = 0;
  virtual void declare(const cluster::declare_dead& what, callback<swap> done) = 0;

  /// An operator's wish for any node: read by it.
  virtual void wish(const uuid& node, bool drain, callback<swap> done) = 0;

  /// The empty string: raised, or it was there already; else a sentence that names who is behind.
  virtual void raise_level(std::int32_t to, callback<std::string> done) = 0;

  /// Ends the node's database sessions up to that incarnation and waits until they are gone (R5).
  /// Answers how many.
  virtual void end_sessions(const cluster::member_id& former, callback<int> done) = 0;

  /// nullopt: it is not free. To repeat it after `unavailable` is safe: the epoch rises once more.
  virtual void take(shard_id shard, callback<std::optional<shard_grant>> done) = 0;

  /// `as_given_up`: with the head that the writer named.
  virtual void release(const shard_grant& as_given_up, callback<swap> done) = 0;
};

} // namespace rahat
