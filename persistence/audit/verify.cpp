#include "persistence/audit/verify.hpp"

#include "persistence/audit/chain_check.hpp"
#include "persistence/audit/heads_check.hpp"
#include "persistence/audit/session.hpp"
#include "persistence/audit/transfer_check.hpp"

namespace rahat::audit {

namespace {

std::optional<audit_finding> first_bad(pqxx::transaction_base& work, tally& seen,
                                       heads_check& heads, std::int64_t now_us) {
  for (shard_id shard = 0; shard < shard_count; ++shard)
    if (auto found = check_chain(work, shard, seen))
      return found;
  if (auto found = check_strays(work))
    return found;
  if (auto found = check_seqs(work))
    return found;
  if (auto found = check_unnamed(work, seen))
    return found;
  if (auto found = heads.run(work))
    return found;
  return heads.check_unsigned(work, now_us);
}

} // namespace

verify_report verify(const audit_options& how, const clock& time,
                     std::function<void(std::uint64_t rows)> progress) {
  const auto began = time.steady();
  heads_check heads{how}; // before the snapshot
  const auto connection = open_session(how.conninfo);
  prepare_chain_check(*connection);
  prepare_transfer_check(*connection);
  one_moment work{*connection};
  tally seen;
  seen.progress = std::move(progress);
  verify_report report;
  report.first_bad = first_bad(work, seen, heads, time.now_us());
  report.ok = !report.first_bad;
  report.rows = seen.rows;
  report.transfers = seen.transfers;
  report.signed_heads = heads.heads();
  report.seconds = std::chrono::duration<double>(time.steady() - began).count();
  return report;
}

} // namespace rahat::audit
