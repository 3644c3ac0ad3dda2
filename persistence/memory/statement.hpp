#pragma once

#include "persistence/memory/tables.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rahat::memory {

/// Where the writer believes a shard's head to stand, and where the batch moves it.
struct head_move {
  std::uint64_t epoch = 0;
  std::uint64_t expected = 0;
  std::uint64_t position = 0;
  std::string hash;
};

struct placed_commit {
  const commit* what = nullptr; // outlives the statement
  std::uint64_t position = 0;
  std::string hash;
};

/// A batch as one statement: all of it lands or nothing.
struct statement {
  std::uint64_t generation = 0;
  std::uint64_t commit_id = 0;
  std::map<shard_id, head_move> heads;
  std::vector<placed_commit> commits;
};

/// Heads that did not stand where the statement expected them.
struct fenced_error {
  std::vector<shard_id> shards;
};

/// Executes the statement. Throws fenced_error or row_error, having changed nothing. A row_error
/// does not say which commit is at fault, as the real server does not either. Under the lock.
void execute(tables& db, const statement& batch);

/// Microseconds of a day; requests are kept by the day on which they came.
inline constexpr std::int64_t day_us = 86'400'000'000;

} // namespace rahat::memory
