#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rahat {

/// An owner whose books do not agree: known balance + notices not yet applied != sum of transfers.
struct books_difference {
  entity_ref owner;
  std::string currency;
  std::int64_t known_minor = 0;     // what the owner says, committed
  std::int64_t unapplied_minor = 0; // told to it and not yet applied
  std::int64_t transfers_minor = 0; // credits less debits
};

struct books_report {
  std::int64_t imbalance_minor = 0; // sum of the absolute differences; 0 means exact
  std::uint64_t owners = 0;
  std::uint64_t transfers = 0;
  std::int64_t moved_minor = 0;
  std::int64_t at_us = 0;
  bool complete = false;                     // false: the follower has not reached the heads yet
  std::vector<books_difference> differences; // the first 100
};

/// The first thing that is wrong in the journal or the ledger.
struct audit_finding {
  shard_id shard = 0;
  std::uint64_t position = 0;
  entity_ref entity;
  std::string type; // of the journal row, empty if it is missing
  std::string what; // one sentence: altered, removed, cut off, transfer altered, head not signed
};

struct verify_report {
  bool ok = false;
  std::uint64_t rows = 0;
  std::uint64_t transfers = 0;
  std::uint64_t signed_heads = 0;
  double seconds = 0;
  std::optional<audit_finding> first_bad;
};

/// Reads the committed past; blocks, so it belongs on a thread of its own. Thread-safe.
class auditor {
public:
  virtual ~auditor() = default;

  /// What the follower knows now: increments above its watermark are folded first.
  virtual books_report books() = 0;

  /// Everything from the first transfer on, in one snapshot.
  virtual books_report recount() = 0;

  /// Recomputes the hash chain of every shard with its transfers and compares the signed heads.
  virtual verify_report verify(std::function<void(std::uint64_t rows)> progress) = 0;
};

} // namespace rahat
