#pragma once

#include "persistence/memory/tables.hpp"

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace rahat {

/// The rows that outlive a twin of the store: a second `memory_store` over the same database is
/// what stands there after a crash, or another node. Thread-safe: one mutex, never held while
/// somebody is called back.
class memory_database {
public:
  memory_database();

  /// Runs `f(memory::tables&)` alone and gives what it gives. Tests tamper with rows through it.
  template <class F>
  auto with(F&& f) {
    std::lock_guard guard(mutex_);
    return std::forward<F>(f)(tables_);
  }

  template <class F>
  auto with(F&& f) const {
    std::lock_guard guard(mutex_);
    return std::forward<F>(f)(tables_);
  }

  /// Another owner takes the shard: whoever held it is fenced from now on.
  void fence(shard_id shard);

  /// As after a promotion or a restored backup: everybody is fenced until they open anew.
  void new_generation();

  // -- inspection, in the order of keys -----------------------------------------------------

  /// By (shard, position).
  std::vector<journal_row> journal() const;

  /// All of one entity, by seq.
  std::vector<journal_row> journal_of(const entity_ref& entity) const;

  std::vector<std::pair<memory::line_key, memory::transfer_row>> transfers() const;
  std::vector<std::pair<std::pair<entity_ref, std::string>, memory::total_row>> totals() const;
  std::vector<std::pair<memory::outbox_key, memory::waiting_message>> outbox() const;

  /// All rows, as a copy.
  memory::tables copy() const;

  /// What is wrong with the books and the chain, a sentence each; empty: nothing. Checks that
  /// positions are dense and heads true, the chain's hashes, that transfers are those which the
  /// journal marks, that accounts are known and of the currency, that none but an `outside` account
  /// is below zero, and for each owner: known balance + notices not yet applied = sum of transfers.
  std::vector<std::string> check_books() const;

private:
  mutable std::mutex mutex_;
  memory::tables tables_;
};

} // namespace rahat
