#pragma once

#include "runtime/ports/store.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rahat::pg {

/// A commit on its way, with who wants to hear of it. Whatever becomes of the thread that holds it,
/// its listener hears exactly once, and its bytes are given back to the writer's credit.
struct queued_commit {
  queued_commit() = default;
  ~queued_commit(); // unavailable, if nothing was told: its writer has died

  queued_commit(const queued_commit&) = delete;
  queued_commit& operator=(const queued_commit&) = delete;

  void landed(std::uint64_t position);
  void failed(const commit_refusal& why);

  commit what;
  std::shared_ptr<commit_listener> listener;
  std::size_t bytes = 0;                        // as charged to the writer's credit
  std::atomic<std::int64_t>* charged = nullptr; // what they were added to

private:
  std::shared_ptr<commit_listener> settle();
};

/// A load that waits behind its entity's commits. Its caller hears exactly once, as above.
struct queued_load {
  queued_load() = default;
  ~queued_load();

  queued_load(const queued_load&) = delete;
  queued_load& operator=(const queued_load&) = delete;

  void answer(outcome<loaded_entity> found);

  entity_ref entity;
  std::uint64_t incarnation = 0;
  std::uint32_t evolve_version = 0;
  callback<loaded_entity> done;
};

/// Rows that a commit writes, for the bound of a batch.
std::size_t rows_of(const commit& c);

/// A writer's queue: in order of seq for each entity, fair between entities. Belongs to one writer
/// thread.
class work_queue {
public:
  struct bounds {
    std::size_t rows = 0;
    std::size_t bytes = 0;
    std::size_t payments = 0;
  };
  struct round {
    std::vector<std::unique_ptr<queued_commit>> commits; // of one entity: in order
    std::vector<std::unique_ptr<queued_load>> loads;     // their entities have nothing in commits
  };

  void push(std::unique_ptr<queued_commit> c);
  void push(std::unique_ptr<queued_load> l);

  /// The next round: one commit from each entity in turn until a bound is met; the first commit
  /// always goes. A load at the head of its entity's line goes once nothing before it is left in
  /// this round.
  round take(const bounds& most);

  bool empty() const { return turns_.empty(); }
  std::size_t commits() const { return commits_; }

  /// True while a commit or a load of the shard waits.
  bool holds(shard_id shard) const;

private:
  struct step { // one of both
    std::unique_ptr<queued_commit> commit;
    std::unique_ptr<queued_load> load;
  };
  struct line {
    std::deque<step> steps;
    std::uint64_t taken_in = 0; // the last round that took a commit
  };
  using lines = std::unordered_map<entity_ref, line>;

  void push(const entity_ref& entity, step s);

  lines lines_;
  std::deque<lines::value_type*> turns_; // every line that is not empty, once
  std::uint64_t round_ = 0;
  std::size_t commits_ = 0;
};

} // namespace rahat::pg
