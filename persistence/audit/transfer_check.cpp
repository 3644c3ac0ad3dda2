#include "persistence/audit/transfer_check.hpp"

#include "persistence/audit/array_literal.hpp"
#include "persistence/audit/options.hpp"
#include "persistence/chain/mark_scan.hpp"
#include "persistence/postgres/decode.hpp"
#include "runtime/decider/account.hpp"

#include <map>
#include <string>

namespace rahat::audit {

namespace {

/// The rows of every mark, added up in their order; compare wire::TransferMark.
constexpr const char* named_sql = R"(
SELECT x.made, coalesce(x.total, 0), coalesce(x.digest, sha256('')), coalesce(x.same, true),
       coalesce(x.here, true)
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::uuid[], $5::text[], $6::smallint[],
            $7::bigint[]) WITH ORDINALITY
       m(purpose, first, last, debit, currency, shard, position, n),
  LATERAL (
    SELECT count(*) AS made, sum(t.amount_minor) AS total,
           sha256(string_agg(int4send(t.line) || uuid_send(t.credit) || int8send(t.amount_minor),
                             '')) AS digest,
           bool_and(t.debit = m.debit AND t.currency = m.currency) AS same,
           bool_and(t.shard = m.shard AND t.position = m.position) AS here
    FROM (SELECT * FROM transfer r WHERE r.purpose = m.purpose
            AND r.line BETWEEN m.first AND m.last ORDER BY r.line) t) x
ORDER BY m.n)";

/// The first line of a pay list that is not what was locked.
constexpr const char* odd_line_sql = R"(
SELECT t.line FROM transfer t LEFT JOIN line l ON l.list = t.purpose AND l.no = t.line
WHERE t.purpose = $1 AND t.line BETWEEN $2 AND $3
  AND (l.no IS NULL OR l.wallet <> t.credit OR l.amount_minor <> t.amount_minor)
ORDER BY t.line LIMIT 1)";

audit_finding finding_at(const named_transfers& n, const std::string& what) {
  return {n.shard, n.position, n.entity, n.type, what};
}

std::string name_of(const wire::TransferMark& mark) {
  auto name = "transfer " + uuid::from_raw(mark.purpose()).str();
  if (mark.last_line() > 0)
    name +=
        " lines " + std::to_string(mark.first_line()) + " to " + std::to_string(mark.last_line());
  return name;
}

/// Names the line, where the pay list still says what it was.
std::string altered_line(pqxx::transaction_base& work, const wire::TransferMark& mark) {
  if (mark.last_line() == 0)
    return {};
  const auto rows = work.exec_prepared("audit_odd_line", uuid::from_raw(mark.purpose()).str(),
                                       static_cast<std::int32_t>(mark.first_line()),
                                       static_cast<std::int32_t>(mark.last_line()));
  return rows.empty() ? std::string{} : " at line " + std::to_string(rows[0][0].as<int>());
}

/// Empty: as it was made.
std::string fault_of(pqxx::transaction_base& work, const wire::TransferMark& mark,
                     const pqxx::row& is) {
  const auto made = is[0].as<std::uint64_t>();
  if (made < mark.count())
    return name_of(mark) + " was removed: " + std::to_string(mark.count()) + " were made, " +
           std::to_string(made) + " are left";
  if (made > mark.count())
    return name_of(mark) + " has more rows than were made: " + std::to_string(made) +
           " instead of " + std::to_string(mark.count());
  if (is[1].as<std::int64_t>() != mark.sum_minor())
    return name_of(mark) + " was altered" + altered_line(work, mark) + ": the amount is " +
           is[1].as<std::string>() + " instead of " + std::to_string(mark.sum_minor());
  if (pg::bytes_of(is[2]) != mark.digest())
    return name_of(mark) + " was altered" + altered_line(work, mark) +
           ": a credited account or an amount is not what was made";
  if (!is[3].as<bool>())
    return name_of(mark) + " was altered: the debited account or the currency is another";
  if (!is[4].as<bool>())
    return name_of(mark) + " was altered: it says that it was made elsewhere";
  return {};
}

struct place {
  std::int64_t position = 0;
  std::uint64_t count = 0;
};

/// What a row of the journal names, by its position; and how to tell whether it covers a key.
struct namer {
  journal_row row;
  std::vector<wire::TransferMark> marks;

  bool covers(const uuid& purpose, std::uint32_t line) const {
    for (auto& m : marks)
      if (uuid::from_raw(m.purpose()) == purpose && m.first_line() <= line && line <= m.last_line())
        return true;
    return false;
  }
};

std::optional<namer> namer_at(pqxx::transaction_base& work, int shard, std::int64_t position) {
  const auto rows = work.exec_prepared("audit_rows", shard, position - 1, 1);
  if (rows.empty())
    return {};
  namer out{pg::journal_row_of(rows[0]), {}};
  if (out.row.position != static_cast<std::uint64_t>(position))
    return {};
  chain::mark_scan scan{out.row.payload};
  wire::TransferMark mark;
  while (scan.next(mark))
    out.marks.push_back(mark);
  return out;
}

/// If a transfer of this place is not named there: the finding.
std::optional<audit_finding> unnamed_at(pqxx::transaction_base& work, int shard, place at) {
  const auto by = namer_at(work, shard, at.position);
  std::uint64_t named = 0;
  if (by)
    for (auto& m : by->marks)
      named += m.count();
  if (named == at.count)
    return {};
  const auto rows = work.exec_params(
      "SELECT purpose, line FROM transfer WHERE shard = $1 AND position = $2 ORDER BY 1, 2", shard,
      at.position);
  audit_finding found{
      static_cast<shard_id>(shard), static_cast<std::uint64_t>(at.position), {}, {}, {}};
  if (by) {
    found.entity = by->row.entity;
    found.type = by->row.type;
  }
  for (const auto& r : rows) {
    const auto purpose = pg::uuid_of(r[0]);
    if (by && by->covers(purpose, r[1].as<std::uint32_t>()))
      continue;
    found.what = "transfer " + purpose.str() + " line " + r[1].as<std::string>() +
                 " was added: no row of the journal names it";
    return found;
  }
  found.what = "the transfers of this row are not those that it names";
  return found;
}

/// Walks the places of a shard's transfers, with a cursor.
std::optional<audit_finding> search(pqxx::transaction_base& work, int shard) {
  work.exec0(
      "DECLARE audit_places NO SCROLL CURSOR FOR SELECT position, count(*) FROM transfer"
      " WHERE shard = " +
      std::to_string(shard) + " GROUP BY position ORDER BY position");
  const auto fetch = "FETCH " + std::to_string(audit_limits::page_rows) + " FROM audit_places";
  std::optional<audit_finding> found;
  for (auto rows = work.exec(fetch); !rows.empty() && !found; rows = work.exec(fetch))
    for (auto r = rows.begin(); r != rows.end() && !found; ++r)
      found = unnamed_at(work, shard, {(*r)[0].as<std::int64_t>(), (*r)[1].as<std::uint64_t>()});
  work.exec0("CLOSE audit_places");
  return found;
}

} // namespace

void prepare_transfer_check(pqxx::connection_base& c) {
  c.prepare("audit_named", named_sql);
  c.prepare("audit_odd_line", odd_line_sql);
}

std::optional<audit_finding> check_named(pqxx::transaction_base& work,
                                         const std::vector<named_transfers>& named) {
  if (named.empty())
    return {};
  array_literal purposes, firsts, lasts, debits, currencies, shards, positions;
  for (auto& n : named) {
    purposes.id(uuid::from_raw(n.mark.purpose()));
    firsts.number(static_cast<std::int32_t>(n.mark.first_line()));
    lasts.number(static_cast<std::int32_t>(n.mark.last_line()));
    debits.id(uuid::from_raw(n.mark.debit_account()));
    currencies.text(n.mark.currency());
    shards.number(n.shard);
    positions.number(static_cast<std::int64_t>(n.position));
  }
  const auto rows =
      work.exec_prepared("audit_named", purposes.str(), firsts.str(), lasts.str(), debits.str(),
                         currencies.str(), shards.str(), positions.str());
  for (std::size_t i = 0; i < named.size(); ++i) {
    const auto fault = fault_of(work, named[i].mark, rows[static_cast<int>(i)]);
    if (!fault.empty())
      return finding_at(named[i], fault);
  }
  return {};
}

std::optional<audit_finding> check_unnamed(pqxx::transaction_base& work, const tally& seen) {
  const auto rows = work.exec("SELECT shard, count(*) FROM transfer GROUP BY shard ORDER BY shard");
  for (const auto& r : rows) {
    const auto shard = r[0].as<int>();
    const auto known = shard >= 0 && shard < shard_count;
    if (known && r[1].as<std::uint64_t>() == seen.named[static_cast<std::size_t>(shard)])
      continue;
    if (auto found = search(work, shard))
      return found;
  }
  return {};
}

} // namespace rahat::audit
