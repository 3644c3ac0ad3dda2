#pragma once

#include "runtime/ports/audit.hpp"

#include <cstdint>

namespace rahat {

/// What the auditor lets be measured: methods named after events. Called from the auditor's
/// threads and from those of its callers; implementations must be thread-safe. The default counts
/// nothing.
class audit_probe {
public:
  virtual ~audit_probe() = default;

  /// The follower has looked; `report.complete` says whether it reached the heads.
  virtual void books_compared(const books_report& report) { (void)report; }
  /// Whether this node follows the books from now on, or leaves that to another.
  virtual void follows(bool here) { (void)here; }
  /// Everything was counted anew.
  virtual void recounted(const books_report& report) { (void)report; }
  /// Journal rows that were folded, and rows that the follower had not reached after it.
  virtual void rows_folded(std::uint64_t rows, std::uint64_t behind) { (void)rows, (void)behind; }
  virtual void verified(const verify_report& report) { (void)report; }
  /// Heads that were signed into the file now.
  virtual void heads_signed(std::uint64_t heads, std::int64_t at_us) { (void)heads, (void)at_us; }
  /// A background pass failed (the database is away, the file cannot be written): tried again.
  virtual void pass_failed() {}
};

} // namespace rahat
