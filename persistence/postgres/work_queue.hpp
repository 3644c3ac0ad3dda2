#pragma once

#include "runtime/ports/store.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rahat::pg {

/// A commit on its way, with who wants to hear of it.
struct queued_commit {
  commit what;
  std::shared_ptr<commit_listener> listener;
  std::size_t bytes = 0; // as charged to the writer's credit
};

/// A load that waits behind its entity's commits.
struct queued_load {
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
