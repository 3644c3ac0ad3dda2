#include "persistence/lease/take_shards.hpp"

#include "persistence/embedded/conninfo.hpp"

#include <pqxx/pqxx>

namespace rahat {

namespace {

constexpr int terminate_wait_ms = 5'000;
constexpr int terminate_rounds = 2; // together 10 s

/// Sessions of this node with a smaller incarnation; a larger one means that we are the past.
constexpr const char* former_sessions =
    "SELECT pid FROM pg_stat_activity WHERE starts_with(application_name, $1)"
    " AND CASE WHEN split_part(application_name, '/', 3) ~ '^[0-9]{1,18}$'"
    "   THEN split_part(application_name, '/', 3)::bigint < $2 ELSE false END";

/// `incarnation <= $3` is judged on the row's latest version, under its lock: a former incarnation
/// that wakes up here cannot take a shard back from a later one.
constexpr const char* take_sql =
    "UPDATE shard SET epoch = epoch + 1, owner = $2, incarnation = $3, generation = $4"
    " WHERE shard = $1"
    " AND EXISTS (SELECT FROM cluster_member m WHERE m.node_uuid = $2 AND m.incarnation = $3"
    "   AND m.status = 'up')"
    " AND (owner IS NULL OR (owner = $2 AND incarnation <= $3)"
    "   OR (owner <> $2 AND NOT EXISTS (SELECT FROM cluster_member m WHERE m.node_uuid = owner"
    "     AND m.status = 'up' AND lease_runs(m.lease_until, $5 * interval '1 millisecond'))))"
    " RETURNING epoch, head_position, head_hash";

std::string own_connection(const std::string& conninfo, const node_identity& me) {
  return with_field(with_keepalives(conninfo, terminate_wait_ms), "application_name",
                    me.application_name("take"));
}

int end_sessions(pqxx::connection_base& connection, const node_identity& me) {
  int ended = 0;
  pqxx::nontransaction work{connection};
  work.exec0("SET client_min_messages = error"); // one that is gone already is no news
  const auto prefix = "rahat/" + me.node.str() + "/";
  for (int round = 0;; ++round) {
    const auto left = work.exec_params(former_sessions, prefix, me.incarnation);
    if (left.empty())
      return ended;
    if (round == terminate_rounds)
      throw lease_error{"the session " + std::string{left[0][0].c_str()} +
                        " of a former start of "
                        "this node does not end: end it with pg_terminate_backend, or restart "
                        "Postgres"};
    for (const auto& row : left)
      ended += work.exec_params1("SELECT pg_terminate_backend($1, $2)", row[0].as<int>(),
                                 terminate_wait_ms)[0]
                   .as<bool>();
  }
}

void require_latest(pqxx::transaction_base& work, const node_identity& me) {
  const auto row = work.exec_params(
      "SELECT incarnation, status FROM cluster_member"
      " WHERE node_uuid = $1",
      me.node.str());
  if (row.empty() || row[0][0].as<std::int64_t>() != me.incarnation ||
      row[0][1].as<std::string>() != "up")
    throw lease_error{"this start of node " + me.node.str() +
                      " was declared dead or superseded: "
                      "it may take no shard; start rahatd again"};
}

} // namespace

int end_former_sessions(const std::string& service_conninfo, const node_identity& me) {
  pqxx::connection connection{own_connection(service_conninfo, me)};
  return end_sessions(connection, me);
}

std::vector<taken_shard> take_shards(const std::string& service_conninfo, const node_identity& me,
                                     const generation& now, const lease_terms& terms) {
  pqxx::connection connection{own_connection(service_conninfo, me)};
  end_sessions(connection, me);
  pqxx::nontransaction work{connection};
  work.exec0("SET lock_timeout = " + std::to_string(terms.ttl.count()));
  const auto shards = work.exec("SELECT shard FROM shard ORDER BY shard");
  if (shards.size() != shard_count)
    throw lease_error{"the table shard holds " + std::to_string(shards.size()) +
                      " rows instead of " + std::to_string(shard_count) +
                      ": restore the database from a backup"};
  require_latest(work, me);
  connection.prepare("take", take_sql);
  const auto raw = now.raw();
  const pqxx::binarystring generation_bytes{raw.data(), raw.size()};
  std::vector<taken_shard> taken;
  for (const auto& row : shards) {
    const auto shard = row[0].as<int>();
    const auto got = work.exec_prepared("take", shard, me.node.str(), me.incarnation,
                                        generation_bytes, terms.ttl.count());
    if (got.empty())
      continue;
    taken.push_back({static_cast<shard_id>(shard), got[0][0].as<std::int64_t>(),
                     got[0][1].as<std::int64_t>(), pqxx::binarystring{got[0][2]}.str()});
  }
  require_latest(work, me);
  return taken;
}

} // namespace rahat
