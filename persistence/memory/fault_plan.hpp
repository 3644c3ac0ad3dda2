#pragma once

#include "runtime/decider/id.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

namespace rahat {

/// What goes wrong at a twin of the store, and when. An *operation* is one round trip that the twin
/// would make: a batch of commits, the question what became of one, or a read. Thread-safe; may be
/// changed while the twin runs.
class fault_plan {
public:
  static constexpr std::uint32_t always = std::numeric_limits<std::uint32_t>::max();

  /// The connection breaks before the next n batches reach the server.
  void fail_before_commit(std::uint32_t batches = 1);

  /// The next n batches are committed, then the connection breaks: the writer does not hear of it.
  void lose_reply(std::uint32_t batches = 1);

  /// The next n batches are refused with a deadlock, or a serialisation failure.
  void deadlock(std::uint32_t batches = 1);
  void serialisation(std::uint32_t batches = 1);

  /// The next n operations of any sort meet no server.
  void down(std::uint32_t operations = always);

  /// Each operation takes that many manual steps more, or that long in a threaded twin.
  void slow(std::uint32_t steps, std::chrono::milliseconds delay);

  /// Another owner takes the shard when that many more commits have landed in it: between the
  /// writer's decision to send and the server's answer.
  void fence(shard_id shard, std::uint32_t after_commits = 0);

  /// Rows of this entity cannot be stored, the next n times.
  void poison(const entity_ref& entity, std::uint32_t times = always);

  /// The connection breaks whenever a batch holds rows of this entity, the next n times: as if the
  /// server's process died of them each time. Nothing lands.
  void deadly(const entity_ref& entity, std::uint32_t times = always);

  /// Everything goes well again.
  void heal();

  // -- what the twin asks -------------------------------------------------------------------

  enum class batch_fault { none, fail_before_commit, lose_reply, deadlock, serialisation };

  bool take_down();
  batch_fault take_batch_fault();
  std::pair<std::uint32_t, std::chrono::milliseconds> delay() const;

  /// True if one of them is poisoned; counts the poison of each of them once.
  bool take_poison(const std::set<entity_ref>& entities);

  /// As above, of the deadly ones.
  bool take_deadly(const std::set<entity_ref>& entities);

  /// Of these shards, those whose moment has come; each is named once.
  std::vector<shard_id> take_fences(const std::set<shard_id>& touched);
  void landed(shard_id shard);

private:
  using counts = std::map<entity_ref, std::uint32_t>;

  static bool take(std::uint32_t& count);
  static bool take(counts& of, const std::set<entity_ref>& entities);

  mutable std::mutex mutex_;
  std::uint32_t fail_before_commit_ = 0;
  std::uint32_t lose_reply_ = 0;
  std::uint32_t deadlock_ = 0;
  std::uint32_t serialisation_ = 0;
  std::uint32_t down_ = 0;
  std::uint32_t slow_steps_ = 0;
  std::chrono::milliseconds slow_delay_{0};
  std::map<shard_id, std::uint32_t> fences_;
  counts poisoned_;
  counts deadly_;
};

} // namespace rahat
