#pragma once

#include "runtime/cluster/membership.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rahat::cluster {

/// The membership's tables in memory, with the guards that the statements of the database have and
/// no others: whether a write comes in time is for them to find out. Every refused write is
/// counted, every broken promise is a line in `broken`.
class store_twin {
public:
  explicit store_twin(std::int64_t ttl_us) : ttl_us_(ttl_us) {
    now_.version = 1;
    now_.feature_level = 1;
    shards_.resize(shard_count);
  }

  const view& now() const { return now_; }
  const std::vector<vote>& votes() const { return votes_; }
  const std::vector<shard_row>& shards() const { return shards_; }

  /// The database's clock, set by the test.
  std::int64_t clock_us = 0;

  /// The new incarnation; nothing if the view has moved on.
  std::optional<std::int64_t> join(const uuid& node, std::int64_t version);

  bool renew(const member_id& me);
  bool activate(const member_id& me, std::int64_t version);
  bool begin_leave(const member_id& me, std::int64_t version);
  bool stay(const member_id& me, std::int64_t version);
  bool leave(const member_id& me, std::int64_t version);
  bool vote_against(const member_id& me, const member_id& peer);
  void withdraw(const member_id& me, const member_id& peer);
  bool declare(const member_id& me, const declare_dead& what);
  bool release(const member_id& me, shard_id shard);
  bool take(const member_id& me, shard_id shard);

  std::size_t refused = 0;
  std::vector<std::string> broken;

private:
  member* find(const member_id& id);
  bool may_act(const member_id& me);
  bool change(const member_id& me, std::int64_t version, member_status from, member_status to);
  bool refuse();
  void set(member& m, member_status to);

  std::int64_t ttl_us_;
  view now_;
  std::vector<vote> votes_;
  std::vector<shard_row> shards_;
  std::map<member_id, bool> over_; // incarnations that may never act again
};

} // namespace rahat::cluster
