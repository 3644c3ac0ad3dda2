#pragma once

#include "persistence/postgres/column.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace rahat::pg {

/// A commit with the place that its writer gave it.
struct placed_commit {
  const commit* what = nullptr;
  std::uint64_t position = 0;
  std::uint64_t epoch = 0;
  digest hash{};
};

/// The move of one shard's head.
struct head_move {
  shard_id shard = 0;
  std::uint64_t epoch = 0;
  std::uint64_t expected = 0;
  std::uint64_t position = 0;
  digest hash{};
};

/// Turns a group of commits into the parameters of commit_batch_v1 and commit_bulk_v1 (migration
/// 0003). Buffers are reused from batch to batch. Belongs to one writer thread.
class batch_encoder {
public:
  batch_encoder();

  /// Encodes the group from scratch. Of rows that are replaced as a whole (query, owned_total,
  /// timer) only the last one a key is sent: ON CONFLICT refuses to touch a row twice.
  void encode(const std::vector<head_move>& heads, const std::vector<placed_commit>& group);

  /// True if a section of commit_bulk_v1 is not empty.
  bool has_bulk() const;

  /// The parameters behind batch id and generation, in the order of the function.
  std::vector<column>& common() { return common_; }
  std::vector<column>& bulk() { return bulk_; }

private:
  /// Names a row of one section.
  struct row_key {
    std::string_view kind;
    uuid id;
    std::string_view part;
    bool operator==(const row_key&) const = default;
  };
  struct row_key_hash {
    std::size_t operator()(const row_key& k) const noexcept;
  };
  using seen_rows = std::unordered_set<row_key, row_key_hash>;

  void add_inserts(const placed_commit& p);
  void add_requests(const placed_commit& p);
  void add_money(const placed_commit& p);
  void add_bulk(const commit& c);
  void add_staged(const commit& c);
  void add_replaced(const commit& c);
  void add_timers(const commit& c);

  std::vector<column> common_;
  std::vector<column> bulk_;
  seen_rows queries_;
  seen_rows totals_;
  seen_rows timers_;
};

} // namespace rahat::pg
