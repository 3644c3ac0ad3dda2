#pragma once

#include "persistence/audit/options.hpp"
#include "persistence/audit/signing_key.hpp"

#include <array>
#include <cstdint>
#include <mutex>

namespace rahat::audit {

/// Signs the heads of the shards into heads.log. Thread-safe.
class signer {
public:
  /// Throws audit_error (see signing_key).
  explicit signer(const audit_options& how);

  /// One line with the heads that moved since the last one of this process; none when none did.
  /// A process's first line names all. How many heads. Throws audit_error and pqxx's errors.
  std::uint64_t sign(std::int64_t now_us);

private:
  const audit_options& how_;
  const signing_key key_;
  std::mutex mutex_;
  std::array<std::uint64_t, shard_count> signed_{}; // guarded by mutex_
};

} // namespace rahat::audit
