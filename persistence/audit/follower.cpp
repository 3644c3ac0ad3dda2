#include "persistence/audit/follower.hpp"

#include "persistence/audit/array_literal.hpp"
#include "persistence/audit/book_delta.hpp"
#include "persistence/audit/errors.hpp"
#include "persistence/audit/session.hpp"
#include "persistence/postgres/decode.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace rahat::audit {

namespace {

struct stretch {
  shard_id shard = 0;
  std::uint64_t from = 0; // the watermark
  std::uint64_t head = 0;
};

/// What one fold has done to one shard's watermark.
struct advance {
  shard_id shard = 0;
  std::uint64_t to = 0;
  std::uint64_t transfers = 0;
  std::int64_t moved_minor = 0;
};

void prepare(pqxx::connection_base& c) {
  c.prepare("follow_stretches",
            "SELECT s.shard, w.position, s.head_position FROM shard s JOIN audit_watermark w"
            " ON w.shard = s.shard WHERE s.head_position <> w.position ORDER BY s.shard");
  c.prepare("follow_rows", std::string{"SELECT "} + pg::journal_columns +
                               " FROM journal WHERE shard = $1 AND position > $2"
                               " AND position <= $3 ORDER BY position LIMIT $4");
  c.prepare("follow_applied",
            "SELECT a.source_kind, a.source, a.target_kind, a.target, a.n FROM audit_applied a"
            " JOIN unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[])"
            "  u(source_kind, source, target_kind, target) ON a.target = u.target"
            "  AND a.source = u.source AND a.target_kind = u.target_kind"
            "  AND a.source_kind = u.source_kind");
  c.prepare("follow_settle",
            "DELETE FROM audit_notice t"
            " USING unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[])"
            "  u(source_kind, source, target_kind, target, n) WHERE t.target = u.target"
            "  AND t.source = u.source AND t.n <= u.n AND t.target_kind = u.target_kind"
            "  AND t.source_kind = u.source_kind");
  c.prepare("follow_apply",
            "INSERT INTO audit_applied (source_kind, source, target_kind, target, n)"
            " SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[])"
            " ON CONFLICT (target, source, target_kind, source_kind)"
            "  DO UPDATE SET n = greatest(audit_applied.n, excluded.n)");
  c.prepare("follow_tell",
            "INSERT INTO audit_notice"
            " (source_kind, source, target_kind, target, n, currency, amount_minor)"
            " SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[],"
            "  $6::text[], $7::bigint[])");
  c.prepare("follow_sum",
            "INSERT INTO audit_sum (kind, entity, currency, amount_minor)"
            " SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[])"
            " ON CONFLICT (entity, kind, currency)"
            "  DO UPDATE SET amount_minor = audit_sum.amount_minor + excluded.amount_minor");
  c.prepare("follow_move",
            "UPDATE audit_watermark w SET position = u.position,"
            "  transfers = w.transfers + u.transfers, moved_minor = w.moved_minor + u.moved"
            " FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[])"
            "  u(shard, position, transfers, moved) WHERE w.shard = u.shard");
}

std::vector<stretch> stretches(pqxx::transaction_base& work) {
  std::vector<stretch> out;
  for (const auto& r : work.exec_prepared("follow_stretches")) {
    const stretch s{static_cast<shard_id>(r[0].as<int>()), pg::number_of(r[1]),
                    pg::number_of(r[2])};
    if (s.head < s.from)
      throw audit_error{"shard " + std::to_string(s.shard) + " ends at position " +
                        std::to_string(s.head) + ", but rows up to " + std::to_string(s.from) +
                        " were counted: the journal was cut off; run `rahatctl audit verify`"};
    out.push_back(s);
  }
  return out;
}

[[noreturn]] void hole(shard_id shard, std::uint64_t position) {
  throw audit_error{"shard " + std::to_string(shard) + " has no row at position " +
                    std::to_string(position) + ", below its head: run `rahatctl audit verify`"};
}

/// Folds at most `left` rows of the shard; how far it came.
advance read(pqxx::transaction_base& work, const stretch& s, std::uint64_t left,
             book_delta& delta) {
  advance out{s.shard, s.from, 0, 0};
  while (out.to < s.head && left > 0) {
    const auto rows = work.exec_prepared(
        "follow_rows", static_cast<int>(s.shard), static_cast<std::int64_t>(out.to),
        static_cast<std::int64_t>(s.head),
        static_cast<std::int64_t>(std::min<std::uint64_t>(left, audit_limits::page_rows)));
    if (rows.empty())
      hole(s.shard, out.to + 1);
    for (const auto& r : rows) {
      const auto row = pg::journal_row_of(r);
      if (row.position != out.to + 1)
        hole(s.shard, out.to + 1);
      const auto made = delta.add(row);
      out.transfers += made.count;
      out.moved_minor = add_minor(out.moved_minor, made.sum_minor);
      out.to = row.position;
    }
    left -= rows.size();
  }
  return out;
}

/// The four columns that name lanes.
struct lane_columns {
  array_literal source_kinds, sources, target_kinds, targets;

  void add(const lane& l) {
    source_kinds.text(l.source.kind);
    sources.id(l.source.id);
    target_kinds.text(l.target.kind);
    targets.id(l.target.id);
  }
};

std::map<lane, std::uint64_t> known_applied(pqxx::transaction_base& work, const book_delta& delta) {
  std::map<lane, std::uint64_t> out;
  if (delta.told().empty())
    return out;
  lane_columns lanes;
  for (auto& [l, notices] : delta.told())
    lanes.add(l);
  for (const auto& r :
       work.exec_prepared("follow_applied", lanes.source_kinds.str(), lanes.sources.str(),
                          lanes.target_kinds.str(), lanes.targets.str()))
    out[{{pg::text_of(r[0]), pg::uuid_of(r[1])}, {pg::text_of(r[2]), pg::uuid_of(r[3])}}] =
        pg::number_of(r[4]);
  return out;
}

void save_notices(pqxx::transaction_base& work, const book_delta& delta) {
  if (!delta.applied().empty()) {
    lane_columns lanes;
    array_literal numbers;
    for (auto& [l, n] : delta.applied()) {
      lanes.add(l);
      numbers.number(static_cast<std::int64_t>(n));
    }
    for (const char* statement : {"follow_settle", "follow_apply"})
      work.exec_prepared(statement, lanes.source_kinds.str(), lanes.sources.str(),
                         lanes.target_kinds.str(), lanes.targets.str(), numbers.str());
  }
  if (delta.told().empty())
    return;
  lane_columns lanes;
  array_literal numbers, currencies, amounts;
  for (auto& [l, notices] : delta.told())
    for (auto& [n, m] : notices) {
      lanes.add(l);
      numbers.number(static_cast<std::int64_t>(n));
      currencies.text(m.currency);
      amounts.number(m.amount_minor);
    }
  work.exec_prepared("follow_tell", lanes.source_kinds.str(), lanes.sources.str(),
                     lanes.target_kinds.str(), lanes.targets.str(), numbers.str(), currencies.str(),
                     amounts.str());
}

void save_sums(pqxx::transaction_base& work, const book_delta& delta) {
  if (delta.sums().empty())
    return;
  array_literal kinds, ids, currencies, amounts;
  for (auto& [p, amount] : delta.sums()) {
    kinds.text(p.owner.kind);
    ids.id(p.owner.id);
    currencies.text(p.currency);
    amounts.number(amount);
  }
  work.exec_prepared("follow_sum", kinds.str(), ids.str(), currencies.str(), amounts.str());
}

void save_watermarks(pqxx::transaction_base& work, const std::vector<advance>& all) {
  array_literal shards, positions, transfers, moved;
  for (auto& a : all) {
    shards.number(a.shard);
    positions.number(static_cast<std::int64_t>(a.to));
    transfers.number(static_cast<std::int64_t>(a.transfers));
    moved.number(a.moved_minor);
  }
  work.exec_prepared("follow_move", shards.str(), positions.str(), transfers.str(), moved.str());
}

fold_result fold_once(pqxx::transaction_base& work, std::uint64_t bound) {
  // Lost in a crash it is done again; nobody waits for this commit.
  work.exec0("SET LOCAL synchronous_commit = off");
  fold_result out;
  book_delta delta;
  std::vector<advance> moved;
  for (auto& s : stretches(work)) {
    const auto a = read(work, s, bound - delta.rows(), delta);
    out.behind += s.head - a.to;
    if (a.to != s.from)
      moved.push_back(a);
  }
  out.rows = delta.rows();
  if (moved.empty())
    return out;
  delta.settle(known_applied(work, delta));
  save_notices(work, delta);
  save_sums(work, delta);
  save_watermarks(work, moved);
  return out;
}

/// Per purse: what its owner knows, what it was told and has not applied, what the transfers say.
constexpr const char* compare_sql = R"(
SELECT kind, entity, currency, coalesce(o.amount_minor, 0) AS known,
       coalesce(n.amount_minor, 0) AS unapplied, coalesce(s.amount_minor, 0) AS transfers
FROM owned_total o
  FULL JOIN (SELECT target_kind AS kind, target AS entity, currency,
                    sum(amount_minor) AS amount_minor
             FROM audit_notice GROUP BY 1, 2, 3) n USING (entity, kind, currency)
  FULL JOIN audit_sum s USING (entity, kind, currency))";

void compare(pqxx::transaction_base& work, books_report& report) {
  const auto all =
      work.exec1(std::string{"SELECT count(DISTINCT (kind, entity)),"
                             " coalesce(sum(abs(known + unapplied - transfers)), 0) FROM ("} +
                 compare_sql + ") c");
  report.owners = all[0].as<std::uint64_t>();
  report.imbalance_minor = all[1].as<std::int64_t>();
  if (report.imbalance_minor == 0)
    return;
  for (const auto& r : work.exec(std::string{"SELECT * FROM ("} + compare_sql +
                                 ") c WHERE known + unapplied <> transfers"
                                 " ORDER BY kind, entity, currency LIMIT " +
                                 std::to_string(audit_limits::differences)))
    report.differences.push_back({{pg::text_of(r[0]), pg::uuid_of(r[1])},
                                  pg::text_of(r[2]),
                                  r[3].as<std::int64_t>(),
                                  r[4].as<std::int64_t>(),
                                  r[5].as<std::int64_t>()});
}

} // namespace

follower::follower(const audit_options& how, const clock& time, audit_probe& probe)
    : how_(how), time_(time), probe_(probe) {}

follower::~follower() = default;

pqxx::connection& follower::connection() {
  if (!connection_) {
    connection_ = open_session(how_.conninfo);
    prepare(*connection_);
  }
  return *connection_;
}

/// Another auditor that writes at the same moment makes one of the two begin again. After any
/// other failure the connection is made anew.
template <class Result, class Step>
Result follower::again(Step step) {
  for (int left = audit_limits::tries - 1;; --left) {
    try {
      one_moment_writing work{connection()};
      auto result = step(work);
      work.commit();
      return result;
    } catch (const pqxx::transaction_rollback&) {
      if (left == 0)
        throw;
    } catch (const pqxx::unique_violation&) {
      if (left == 0)
        throw;
    } catch (...) {
      connection_.reset();
      throw;
    }
  }
}

fold_result follower::fold() {
  auto done = again<fold_result>(
      [&](pqxx::transaction_base& work) { return fold_once(work, how_.fold_rows); });
  probe_.rows_folded(done.rows, done.behind);
  return done;
}

books_report follower::look() {
  fold_result done;
  auto report = again<books_report>([&](pqxx::transaction_base& work) {
    books_report out;
    done = fold_once(work, how_.fold_rows);
    out.at_us = time_.now_us();
    out.complete = done.behind == 0;
    const auto sums = work.exec1("SELECT sum(transfers), sum(moved_minor) FROM audit_watermark");
    out.transfers = sums[0].as<std::uint64_t>();
    out.moved_minor = sums[1].as<std::int64_t>();
    if (out.complete)
      compare(work, out);
    return out;
  });
  probe_.rows_folded(done.rows, done.behind);
  probe_.books_compared(report);
  return report;
}

books_basis follower::basis(const std::function<void(const std::string& snapshot)>& meanwhile) {
  for (;;) {
    auto done = again<std::optional<books_basis>>(
        [&](pqxx::transaction_base& work) -> std::optional<books_basis> {
          if (fold_once(work, how_.fold_rows).behind > 0)
            return {};
          books_basis out;
          out.at_us = time_.now_us();
          for (const auto& r : work.exec(compare_sql))
            out.purses[{{pg::text_of(r[0]), pg::uuid_of(r[1])}, pg::text_of(r[2])}] = {
                r[3].as<std::int64_t>(), r[4].as<std::int64_t>()};
          meanwhile(pg::text_of(work.exec1("SELECT pg_export_snapshot()")[0]));
          return out;
        });
    if (done)
      return std::move(*done);
  }
}

} // namespace rahat::audit
