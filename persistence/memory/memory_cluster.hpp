#pragma once

#include "runtime/ports/membership_store.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace rahat {

/// The tables of membership and ownership of one database, in memory, shared by the twins of
/// several nodes: what migrations 0005, 0006 and their functions do, statement by statement. The
/// clock is set by hand. Thread-safe; each call is one transaction. Deterministic.
class memory_cluster {
public:
  struct terms {
    std::int64_t vote_expiry_us = 6'000'000;
  };

  explicit memory_cluster(std::int64_t clock_us) : memory_cluster(clock_us, terms{}) {}
  memory_cluster(std::int64_t clock_us, terms t) : terms_(t), clock_us_(clock_us) {}

  // -- the database's clock and life --------------------------------------------------------

  std::int64_t clock_us() const;
  void advance_us(std::int64_t by_us); // may be negative: the clock was set
  /// A promotion or a restore: from now on this is another generation.
  void promote(std::string raw_generation);
  std::string generation() const;

  // -- what the lease's thread and the start do ---------------------------------------------

  /// cluster_register_v1; the errors are those that register_node throws.
  std::variant<cluster::member_id, error> enrol(const enrolment& who, std::int64_t ttl_us);
  /// False: the incarnation is over.
  bool renew(const cluster::member_id& me, std::int64_t ttl_us);

  // -- what only an administrator's hand can do ---------------------------------------------

  void set_lease(const cluster::member_id& of, std::int64_t until_us);
  void age_votes(std::int64_t by_us);
  void set_generation(shard_id shard, std::string raw_generation);

  // -- sessions -----------------------------------------------------------------------------

  void open_session(const cluster::member_id& of, bool never_ends = false);
  std::size_t sessions(const cluster::member_id& of) const;
  /// nullopt: one of them does not end.
  std::optional<int> end_sessions(const cluster::member_id& upto);

  // -- the statements -----------------------------------------------------------------------

  cluster_reading read(const uuid& self) const;
  /// errc::invalid_input: no member goes from here to there.
  std::variant<swap, error> change(const cluster::member_id& me, cluster::member_status from,
                                   cluster::member_status to, std::int64_t seen);
  swap vote(const cluster::member_id& me, const cluster::member_id& against);
  void withdraw(const cluster::member_id& me, const cluster::member_id& against);
  swap declare(const cluster::member_id& me, const cluster::declare_dead& what);
  swap wish(const uuid& node, bool drain);
  std::string raise_level(std::int32_t to);
  std::optional<shard_grant> take(const cluster::member_id& me, shard_id shard,
                                  const std::string& as_generation);
  swap release(const cluster::member_id& me, const shard_grant& as_given_up,
               const std::string& as_generation);

  /// As a commit does: true if the epoch is the owner's.
  bool move_head(shard_id shard, std::int64_t epoch, std::int64_t head_position);

private:
  struct row {
    cluster::member m;
    enrolment who;
    std::int64_t ttl_us = 0;
    bool drain = false;
  };
  struct shard_row {
    cluster::member_id owner;
    std::string generation;
    std::int64_t epoch = 0;
    std::int64_t head_position = 0;
    std::string head_hash = std::string(32, '\0');
  };
  struct session {
    cluster::member_id of;
    bool never_ends = false;
  };

  bool runs(const cluster::member& m, std::int64_t ttl_us) const;
  row* find(const cluster::member_id& id);
  std::optional<error> refusal(const enrolment& who, std::int64_t ttl_us);
  bool enough_votes(const cluster::member_id& against) const;
  bool gone(const cluster::member_id& owner, std::int64_t ttl_us);

  const terms terms_;
  mutable std::mutex mutex_; // guards everything below
  std::int64_t clock_us_;
  std::string generation_ = "generation 1";
  std::int64_t version_ = 1;
  std::int32_t feature_level_ = 1;
  std::string key_check_;
  std::int64_t ttl_us_ = 0;
  std::map<uuid, row> members_;
  std::map<std::pair<uuid, uuid>, cluster::vote> votes_; // by voter and against
  std::array<shard_row, shard_count> shards_;
  std::vector<session> sessions_;
};

} // namespace rahat
