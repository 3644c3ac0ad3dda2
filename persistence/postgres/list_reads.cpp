#include "persistence/postgres/list_reads.hpp"

#include "persistence/postgres/column.hpp"
#include "persistence/postgres/cursor.hpp"
#include "persistence/postgres/decode.hpp"
#include "persistence/postgres/options.hpp"
#include "persistence/postgres/reads.hpp"

#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

/// Which conditions a list has: one prepared statement for each combination, so that every one is
/// planned for the index that fits it.
enum list_part : unsigned {
  by_project = 1,
  by_parent = 2,
  by_status = 4,
  from_place = 8,
  oldest_first = 16,
  list_kinds = 32
};

std::string name_of(unsigned parts) {
  return "list_" + std::to_string(parts);
}

std::string sql_of(unsigned parts) {
  int next = 3; // $1 kind, $2 limit
  std::string sql = "SELECT id, created_us, doc::text FROM query WHERE kind = $1";
  const auto place = [&] { return "$" + std::to_string(next++); };
  if (parts & by_project)
    sql += " AND project = " + place();
  if (parts & by_parent)
    sql += " AND parent = " + place();
  if (parts & by_status)
    sql += " AND status = " + place();
  if (parts & from_place) {
    sql += std::string{" AND (created_us, id) "} + (parts & oldest_first ? "> (" : "< (");
    sql += place() + "::bigint, ";
    sql += place() + "::uuid)";
  }
  sql += parts & oldest_first ? " ORDER BY created_us, id" : " ORDER BY created_us DESC, id DESC";
  return sql + " LIMIT $2";
}

error bad_limit() {
  return {errc::invalid_input, "limit must be between 1 and " + std::to_string(limits::page_items),
          "limit"};
}

error bad_cursor() {
  return {errc::invalid_input,
          "the cursor is not of this list: take it from the former page, with the same filters, or "
          "leave it out",
          "cursor"};
}

} // namespace

void prepare_list_reads(pqxx::connection_base& c) {
  for (unsigned parts = 0; parts < list_kinds; ++parts)
    c.prepare(name_of(parts), sql_of(parts));
  c.prepare("document", "SELECT doc::text FROM query WHERE id = $1 AND kind = $2");
  c.prepare("lines",
            "SELECT no, person, wallet, batch, amount_minor FROM line"
            " WHERE list = $1 AND no > $2 ORDER BY no LIMIT $3");
  c.prepare("rows",
            "SELECT r.ordinal, r.row_no, r.person, r.amount_minor, r.sealed,"
            " coalesce(k.wrapped_key, '') FROM upload_row r"
            " LEFT JOIN person_key k ON k.upload = r.upload AND k.ordinal = r.ordinal"
            " WHERE r.upload = $1 AND r.ordinal = ANY($2::int[]) ORDER BY r.ordinal");
  c.prepare("upload_errors",
            "SELECT row_no, field, message FROM upload_error"
            " WHERE upload = $1 AND row_no > $2 ORDER BY row_no, n LIMIT $3");
}

outcome<page> read_list(pqxx::connection_base& c, const list_query& q) {
  if (q.limit == 0 || q.limit > limits::page_items)
    return bad_limit();
  // One more than asked for: is there a next page?
  std::vector<std::string> parameters{q.kind, std::to_string(q.limit + 1)};
  unsigned parts = q.newest_first ? 0u : unsigned{oldest_first};
  if (q.project) {
    parts |= by_project;
    parameters.push_back(q.project->str());
  }
  if (q.parent) {
    parts |= by_parent;
    parameters.push_back(q.parent->str());
  }
  if (q.status) {
    parts |= by_status;
    parameters.push_back(*q.status);
  }
  if (!q.cursor.empty()) {
    const auto place = from_cursor(q);
    if (!place)
      return bad_cursor();
    parts |= from_place;
    parameters.push_back(std::to_string(place->created_us));
    parameters.push_back(place->id.str());
  }
  pqxx::nontransaction work{c};
  const auto rows =
      work.exec_prepared(name_of(parts), pqxx::prepare::make_dynamic_params(parameters));
  page out;
  for (const auto& r : rows) {
    if (out.items.size() == q.limit) {
      const auto last = rows[static_cast<int>(q.limit) - 1];
      out.next = to_cursor(q, {last[1].as<std::int64_t>(), uuid_of(last[0])});
      break;
    }
    out.items.push_back(text_of(r[2]));
  }
  return out;
}

outcome<std::string> read_document(pqxx::connection_base& c, const std::string& kind,
                                   const uuid& id) {
  pqxx::nontransaction work{c};
  const auto rows = work.exec_prepared("document", id.str(), kind);
  if (rows.empty())
    return error{errc::not_found, "there is no " + kind + " with this id", "id"};
  return text_of(rows[0][0]);
}

std::vector<stored_line> read_lines(pqxx::connection_base& c, const uuid& list, std::int64_t after,
                                    std::uint32_t limit) {
  pqxx::nontransaction work{c};
  std::vector<stored_line> out;
  for (const auto& r : work.exec_prepared("lines", list.str(), after, limit))
    out.push_back({r[0].as<std::uint32_t>(), uuid_of(r[1]), uuid_of(r[2]), uuid_of(r[3]),
                   r[4].as<std::int64_t>()});
  return out;
}

std::vector<stored_row> read_rows(pqxx::connection_base& c, const uuid& upload,
                                  const std::vector<std::uint32_t>& ordinals) {
  column wanted{column::type::int4};
  for (auto o : ordinals)
    wanted.int4(static_cast<std::int32_t>(o));
  pqxx::nontransaction work{c};
  std::vector<stored_row> out;
  for (const auto& r : work.exec_prepared("rows", upload.str(), as_bytea(wanted.wire())))
    out.push_back({r[0].as<std::uint32_t>(), r[1].as<std::uint32_t>(), uuid_of(r[2]),
                   r[3].as<std::int64_t>(), bytes_of(r[4]), bytes_of(r[5])});
  return out;
}

std::vector<stored_error> read_upload_errors(pqxx::connection_base& c, const uuid& upload,
                                             std::int64_t after, std::uint32_t limit) {
  pqxx::nontransaction work{c};
  std::vector<stored_error> out;
  for (const auto& r : work.exec_prepared("upload_errors", upload.str(), after, limit))
    out.push_back({r[0].as<std::uint32_t>(), text_of(r[1]), text_of(r[2])});
  return out;
}

} // namespace rahat::pg
