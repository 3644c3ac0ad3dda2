#pragma once

#include "persistence/audit/heads_file.hpp"
#include "persistence/audit/options.hpp"
#include "persistence/audit/signing_key.hpp"
#include "runtime/ports/audit.hpp"

#include <array>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace rahat::audit {

/// The signed heads as they stood when the check began: to be made before the snapshot, since the
/// file may only name rows that the snapshot has.
class heads_check {
public:
  explicit heads_check(const audit_options& how);

  /// Each signature, the file's own chain, and that every row whose head was signed is still there
  /// with that hash. Reads the file once; memory: `heads_at_once`. Throws audit_error when the
  /// public keys cannot be read. Run it after the chains: it trusts the stored hashes.
  std::optional<audit_finding> run(pqxx::transaction_base& work);

  std::uint64_t heads() const { return heads_; }

  /// Rows that nobody has signed although there was time enough.
  std::optional<audit_finding> check_unsigned(pqxx::transaction_base& work,
                                              std::int64_t now_us) const;

private:
  std::optional<audit_finding> take(const std::string& text);
  std::optional<audit_finding> compare(pqxx::transaction_base& work);
  audit_finding explain(pqxx::transaction_base& work, const signed_head& lost) const;

  const audit_options& how_;
  heads_reader reader_;
  public_keys keys_;
  std::vector<signed_head> waiting_;  // not yet compared with the journal
  digest before_{};                   // hash of the line before
  std::optional<std::uint64_t> torn_; // number of a line that cannot be read
  std::uint64_t heads_ = 0;
  std::int64_t newest_us_ = 0;
  std::array<std::uint64_t, shard_count> proven_{}; // last head that was found in place
};

} // namespace rahat::audit
