#include "persistence/postgres/reads.hpp"

#include "persistence/postgres/decode.hpp"
#include "persistence/postgres/list_reads.hpp"

#include <algorithm>
#include <limits>
#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

/// A snapshot reads its whole transaction from one moment of the database.
using one_moment = pqxx::transaction<pqxx::repeatable_read, pqxx::readwrite_policy::read_only>;

/// Memory that the server may use to look for duplicates in a list of a million rows; beyond, it
/// spills to disk. A nested loop over such a list would not end.
constexpr const char* duplicates_settings =
    "SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off;"
    " SET LOCAL plan_cache_mode = force_custom_plan";

void prepare_entity_reads(pqxx::connection_base& c) {
  const auto columns = std::string{"SELECT "} + journal_columns + " FROM journal ";
  c.prepare("snapshot",
            "SELECT seq, body FROM snapshot"
            " WHERE entity = $1 AND kind = $2 AND evolve_version = $3");
  c.prepare("last_row",
            "SELECT seq, position FROM journal WHERE entity = $1 AND kind = $2"
            " ORDER BY seq DESC LIMIT 1");
  c.prepare("history", columns +
                           "WHERE entity = $1 AND kind = $2 AND seq > $3"
                           " ORDER BY seq LIMIT $4");
  c.prepare("outbox",
            "SELECT target_kind, target, n, body FROM outbox"
            " WHERE source = $1 AND source_kind = $2 ORDER BY target_kind, target, n");
  c.prepare("request",
            "SELECT payload_hash, reply FROM request"
            " WHERE id = $1 AND entity = $2 AND kind = $3 ORDER BY day DESC LIMIT 1");
}

void prepare_shard_reads(pqxx::connection_base& c) {
  const auto columns = std::string{"SELECT "} + journal_columns + " FROM journal ";
  c.prepare("journal", columns + "WHERE shard = $1 AND position > $2 ORDER BY position LIMIT $3");
  c.prepare("heads", "SELECT shard, epoch, head_position, head_hash FROM shard ORDER BY shard");
  c.prepare("pending",
            "SELECT kind, entity FROM ("
            " SELECT source_kind AS kind, source AS entity, at_us AS since FROM outbox"
            "  WHERE shard = $1"
            " UNION ALL SELECT kind, entity, due_us FROM timer WHERE shard = $1 AND due_us <= $2"
            ") waiting GROUP BY kind, entity ORDER BY min(since), kind, entity LIMIT $3");
  c.prepare("parked",
            "SELECT id, kind, entity, reason, body, at_us, tries FROM parked"
            " WHERE id > $1 ORDER BY id LIMIT $2");
  c.prepare("release_parked", "DELETE FROM parked WHERE kind = $1 AND entity = $2");
}

/// Rows whose person has an earlier row: first the persons with several, then their later rows.
std::string duplicates_sql(const std::string& table, const std::string& list,
                           const std::string& number, const std::string& row) {
  return "WITH twice AS (SELECT person, min(" + number + ") AS first FROM " + table + " WHERE " +
         list +
         " = $1 GROUP BY person HAVING count(*) > 1)"
         " SELECT r." +
         number + ", r.person, r.amount_minor, " + row +
         ", count(*) OVER ()"
         " FROM " +
         table + " r JOIN twice t ON t.person = r.person WHERE r." + list + " = $1 AND r." +
         number + " > t.first ORDER BY r." + number + " LIMIT $2";
}

void prepare_feeds(pqxx::connection_base& c) {
  c.prepare("upload_duplicates", duplicates_sql("upload_row", "upload", "ordinal", "r.row_no"));
  c.prepare("line_duplicates", duplicates_sql("line", "list", "no", "0"));
  c.prepare("upload_rows",
            "SELECT ordinal, person, amount_minor, row_no FROM upload_row"
            " WHERE upload = $1 AND ordinal BETWEEN $2 AND $3 ORDER BY ordinal LIMIT $4");
  c.prepare("upload_rows_total",
            "SELECT count(*) FROM upload_row WHERE upload = $1 AND ordinal BETWEEN $2 AND $3");
}

void add_rows(wire::Feed& feed, const pqxx::result& rows) {
  for (const auto& r : rows) {
    auto& row = *feed.add_rows();
    row.set_ordinal(r[0].as<std::uint32_t>());
    row.set_person(uuid_of(r[1]).raw());
    row.set_amount_minor(r[2].as<std::int64_t>());
    row.set_row(r[3].as<std::uint32_t>());
  }
}

parked_row parked_of(const pqxx::row& r) {
  parked_row out;
  out.id = number_of(r[0]);
  out.entity = {text_of(r[1]), uuid_of(r[2])};
  out.reason = text_of(r[3]);
  out.body = bytes_of(r[4]);
  out.at_us = r[5].as<std::int64_t>();
  out.tries = r[6].as<std::uint32_t>();
  return out;
}

std::vector<journal_row> rows_after(pqxx::transaction_base& work, const entity_ref& entity,
                                    std::uint64_t after, std::int64_t limit) {
  std::vector<journal_row> out;
  const auto rows = work.exec_prepared("history", entity.id.str(), entity.kind,
                                       static_cast<std::int64_t>(after), limit);
  out.reserve(rows.size());
  for (const auto& r : rows)
    out.push_back(journal_row_of(r));
  return out;
}

} // namespace

void prepare_reads(pqxx::connection_base& c) {
  prepare_entity_reads(c);
  prepare_shard_reads(c);
  prepare_feeds(c);
  prepare_list_reads(c);
}

load_result read_entity(pqxx::connection_base& c, const entity_ref& entity,
                        std::uint32_t evolve_version) {
  constexpr std::int64_t all = std::numeric_limits<std::int64_t>::max();
  load_result out;
  one_moment work{c};
  const auto id = entity.id.str();
  const auto last = work.exec_prepared("last_row", id, entity.kind);
  if (last.empty())
    return out;
  out.last_seq = number_of(last[0][0]);
  out.entity.position = number_of(last[0][1]);
  const auto snapshot = work.exec_prepared("snapshot", id, entity.kind, evolve_version);
  if (!snapshot.empty() && number_of(snapshot[0][0]) <= out.last_seq) {
    out.entity.snapshot_seq = number_of(snapshot[0][0]);
    out.entity.snapshot = bytes_of(snapshot[0][1]);
  }
  if (out.entity.snapshot_seq < out.last_seq)
    out.entity.tail = rows_after(work, entity, out.entity.snapshot_seq, all);
  for (const auto& r : work.exec_prepared("outbox", id, entity.kind))
    out.entity.outbox.push_back({{text_of(r[0]), uuid_of(r[1])}, number_of(r[2]), bytes_of(r[3])});
  work.commit();
  return out;
}

std::optional<request_row> read_request(pqxx::connection_base& c, const entity_ref& entity,
                                        const uuid& id) {
  pqxx::nontransaction work{c};
  const auto rows = work.exec_prepared("request", id.str(), entity.id.str(), entity.kind);
  if (rows.empty())
    return std::nullopt;
  return request_row{id, number_of(rows[0][0]), bytes_of(rows[0][1])};
}

wire::Feed read_feed(pqxx::connection_base& c, const feed_request& what) {
  wire::Feed feed;
  const auto id = what.id.str();
  one_moment work{c};
  if (what.kind == feed_request::what::upload_rows) {
    const auto total = work.exec_prepared1("upload_rows_total", id, what.first, what.last);
    feed.set_total(number_of(total[0]));
    add_rows(feed, work.exec_prepared("upload_rows", id, what.first, what.last, what.limit));
  } else {
    work.exec0(duplicates_settings);
    const bool upload = what.kind == feed_request::what::upload_duplicates;
    const auto rows = work.exec_prepared(upload ? "upload_duplicates" : "line_duplicates", id,
                                         std::max(1u, what.limit)); // one, for its count of all
    feed.set_total(rows.empty() ? 0 : number_of(rows[0][4]));
    if (what.limit > 0)
      add_rows(feed, rows);
  }
  work.commit();
  return feed;
}

std::vector<entity_ref> read_pending(pqxx::connection_base& c, shard_id shard, std::int64_t now_us,
                                     std::uint32_t limit) {
  pqxx::nontransaction work{c};
  std::vector<entity_ref> out;
  for (const auto& r : work.exec_prepared("pending", shard, now_us, limit))
    out.push_back({text_of(r[0]), uuid_of(r[1])});
  return out;
}

std::vector<journal_row> read_journal(pqxx::connection_base& c, shard_id shard, std::uint64_t after,
                                      std::uint32_t limit) {
  pqxx::nontransaction work{c};
  std::vector<journal_row> out;
  for (const auto& r :
       work.exec_prepared("journal", shard, static_cast<std::int64_t>(after), limit))
    out.push_back(journal_row_of(r));
  return out;
}

std::vector<journal_row> read_history(pqxx::connection_base& c, const entity_ref& entity,
                                      std::uint64_t after, std::uint32_t limit) {
  pqxx::nontransaction work{c};
  return rows_after(work, entity, after, limit);
}

std::vector<shard_head> read_heads(pqxx::connection_base& c) {
  pqxx::nontransaction work{c};
  std::vector<shard_head> out;
  for (const auto& r : work.exec_prepared("heads"))
    out.push_back(
        {static_cast<shard_id>(r[0].as<int>()), number_of(r[1]), number_of(r[2]), bytes_of(r[3])});
  return out;
}

std::vector<parked_row> read_parked(pqxx::connection_base& c, std::uint64_t after,
                                    std::uint32_t limit) {
  pqxx::nontransaction work{c};
  std::vector<parked_row> out;
  for (const auto& r : work.exec_prepared("parked", static_cast<std::int64_t>(after), limit))
    out.push_back(parked_of(r));
  return out;
}

std::uint64_t release_parked(pqxx::connection_base& c, const entity_ref& entity) {
  pqxx::nontransaction work{c};
  return work.exec_prepared("release_parked", entity.kind, entity.id.str()).affected_rows();
}

} // namespace rahat::pg
