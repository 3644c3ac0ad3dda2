#include "persistence/audit/chain_check.hpp"

#include "persistence/audit/options.hpp"
#include "persistence/audit/transfer_check.hpp"
#include "persistence/chain/chain.hpp"
#include "persistence/chain/mark_scan.hpp"
#include "persistence/postgres/decode.hpp"

#include <string>

namespace rahat::audit {

namespace {

struct head {
  std::uint64_t position = 0;
  std::string hash;
};

audit_finding finding_at(const journal_row& row, std::string what) {
  return {row.shard, row.position, row.entity, row.type, std::move(what)};
}

/// The entity whose commits have a hole behind this place is the one that lost the row.
audit_finding removed(pqxx::transaction_base& work, shard_id shard, std::uint64_t position) {
  audit_finding found{shard,
                      position,
                      {},
                      {},
                      "the row was removed: there is no row at this"
                      " position although later ones follow"};
  const auto rows = work.exec_prepared("audit_lost", static_cast<int>(shard),
                                       static_cast<std::int64_t>(position));
  if (!rows.empty()) {
    found.entity = {pg::text_of(rows[0][0]), pg::uuid_of(rows[0][1])};
    found.what +=
        "; it was commit " + std::to_string(rows[0][2].as<std::int64_t>()) + " of its entity";
  }
  return found;
}

std::optional<audit_finding> compare_with_head(const head& expected, shard_id shard,
                                               std::uint64_t last, const digest& hash,
                                               const journal_row& last_row) {
  if (last < expected.position)
    return audit_finding{shard,
                         last + 1,
                         {},
                         {},
                         "the chain was cut off: its head is position " +
                             std::to_string(expected.position) + ", the last row is " +
                             std::to_string(last)};
  if (last > expected.position)
    return finding_at(last_row, "the row stands behind the shard's head, position " +
                                    std::to_string(expected.position) +
                                    ": it was added, or the head was set back");
  if (expected.hash == view(hash))
    return {};
  return audit_finding{shard, last, last_row.entity, last_row.type,
                       "the shard's head names another hash for its last row: the head or the row"
                       " was altered"};
}

/// Reads one page: continues the chain and collects what the rows name.
struct page_reader {
  shard_id shard;
  tally& seen;
  digest hash = chain::genesis;
  std::uint64_t position = 0;
  journal_row last;
  std::vector<named_transfers> named;

  std::optional<audit_finding> take(pqxx::transaction_base& work, journal_row row) {
    if (row.position != position + 1)
      return removed(work, shard, position + 1);
    hash = chain::next(hash, row);
    if (row.hash != view(hash))
      return finding_at(row,
                        "the row was altered: its hash does not follow from its content and"
                        " the row before it");
    position = row.position;
    chain::mark_scan scan{row.payload};
    wire::TransferMark mark;
    while (scan.next(mark)) {
      seen.transfers += mark.count();
      seen.named[shard] += mark.count();
      named.push_back({shard, row.position, row.entity, row.type, mark});
    }
    ++seen.rows;
    last = std::move(row);
    return {};
  }
};

} // namespace

void prepare_chain_check(pqxx::connection_base& c) {
  c.prepare("audit_head", "SELECT head_position, head_hash FROM shard WHERE shard = $1");
  c.prepare("audit_rows", std::string{"SELECT "} + pg::journal_columns +
                              " FROM journal WHERE shard = $1 AND position > $2"
                              " ORDER BY position LIMIT $3");
  c.prepare("audit_lost",
            "SELECT kind, entity, coalesce(before, 0) + 1 FROM ("
            " SELECT kind, entity, seq, position,"
            "  lag(seq) OVER (PARTITION BY entity, kind ORDER BY seq) AS before"
            "  FROM journal WHERE shard = $1) r"
            " WHERE seq <> coalesce(before, 0) + 1 AND position > $2 ORDER BY position LIMIT 1");
}

std::optional<audit_finding> check_chain(pqxx::transaction_base& work, shard_id shard,
                                         tally& seen) {
  const auto heads = work.exec_prepared("audit_head", static_cast<int>(shard));
  if (heads.empty())
    return audit_finding{shard, 0, {}, {}, "the shard's own row was removed"};
  const head expected{pg::number_of(heads[0][0]), pg::bytes_of(heads[0][1])};
  page_reader page{shard, seen, chain::genesis, 0, {}, {}};
  for (;;) {
    const auto rows =
        work.exec_prepared("audit_rows", static_cast<int>(shard),
                           static_cast<std::int64_t>(page.position), audit_limits::page_rows);
    page.named.clear();
    std::optional<audit_finding> broken;
    for (auto row = rows.begin(); row != rows.end() && !broken; ++row)
      broken = page.take(work, pg::journal_row_of(*row));
    // Transfers of the rows before the broken one come before it.
    if (auto altered = check_named(work, page.named))
      return altered;
    if (broken)
      return broken;
    if (seen.progress && !rows.empty())
      seen.progress(seen.rows);
    if (rows.size() < audit_limits::page_rows)
      break;
  }
  return compare_with_head(expected, shard, page.position, page.hash, page.last);
}

std::optional<audit_finding> check_strays(pqxx::transaction_base& work) {
  const auto rows = work.exec(std::string{"SELECT "} + pg::journal_columns +
                              " FROM journal WHERE shard < 0 OR shard > " +
                              std::to_string(shard_count - 1) + " OR (shard BETWEEN 0 AND " +
                              std::to_string(shard_count - 1) + " AND position < 1) LIMIT 1");
  if (rows.empty())
    return {};
  return finding_at(pg::journal_row_of(rows[0]),
                    "the row was added: it stands outside every chain");
}

std::optional<audit_finding> check_seqs(pqxx::transaction_base& work) {
  const auto odd = work.exec(
      "SELECT kind, entity FROM journal GROUP BY kind, entity"
      " HAVING count(*) <> max(seq) OR min(seq) <> 1 LIMIT 1");
  if (odd.empty())
    return {};
  const auto rows =
      work.exec_params(std::string{"SELECT "} + pg::journal_columns +
                           " FROM ("
                           " SELECT *, lag(seq) OVER (ORDER BY seq) AS before FROM journal"
                           "  WHERE kind = $1 AND entity = $2) r"
                           " WHERE seq <> coalesce(before, 0) + 1 ORDER BY seq LIMIT 1",
                       pg::text_of(odd[0][0]), pg::text_of(odd[0][1]));
  if (rows.empty())
    return {};
  const auto row = pg::journal_row_of(rows[0]);
  return finding_at(row, "the row is commit " + std::to_string(row.seq) +
                             " of its entity, and the one before it was removed");
}

} // namespace rahat::audit
