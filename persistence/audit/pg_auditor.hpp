#pragma once

#include "persistence/audit/options.hpp"
#include "runtime/ports/audit.hpp"
#include "runtime/ports/part.hpp"

#include <memory>
#include <vector>

namespace rahat {

/// The audit port on Postgres: follows the books, counts them anew, checks the chain, and signs the
/// shards' heads into a file outside the database. docs/protocols/audit.md says how and why.
///
///   pg_auditor audit{options};
///   audit.start();   // two threads: one signs, one follows and counts at night
///   ...
///   audit.stop();    // signs once more, joins; the destructor does it otherwise
///
/// Several may run beside each other, one a node: each signs, and one of them at a time follows
/// (`audit_options::may_follow`); two that follow at once are exact all the same. What is asked of
/// any of them is answered there.
///
/// books, recount, verify and sign_now block, are thread-safe and work without `start` as well;
/// they throw audit_error and pqxx's errors.
class pg_auditor final : public auditor {
public:
  explicit pg_auditor(audit_options how);
  ~pg_auditor() override;

  pg_auditor(const pg_auditor&) = delete;
  pg_auditor& operator=(const pg_auditor&) = delete;

  /// Reads or makes the key. Throws audit_error when key or heads file cannot be used. A database
  /// that is away is waited for by the threads.
  void start();

  /// The threads, for their owners, who may start one again after a death. After `start`.
  std::vector<part> parts();

  /// Ends a nightly recount at its next page. Signing once more is tried, not insisted on.
  void stop();

  /// Signs the heads that moved since the last line; how many.
  std::uint64_t sign_now();

  books_report books() override;
  books_report recount() override;
  verify_report verify(std::function<void(std::uint64_t rows)> progress) override;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat
