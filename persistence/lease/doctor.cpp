#include "persistence/lease/doctor.hpp"

#include <pqxx/pqxx>

namespace rahat {

namespace {

using weight = finding::weight;

constexpr int oldest_server = 150000;

constexpr const char* durability_query = R"(
SELECT current_setting('fsync'),
       current_setting('full_page_writes'),
       current_setting('synchronous_commit')
)";

constexpr const char* facts_query = R"(
SELECT current_setting('server_version_num')::int,
       current_setting('data_checksums'),
       current_setting('synchronous_standby_names'),
       (SELECT count(*) FROM pg_stat_get_wal_senders()),
       pg_is_in_recovery(),
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       coalesce((SELECT bool_or(has_table_privilege(oid, 'UPDATE')
                                OR has_table_privilege(oid, 'DELETE')
                                OR has_table_privilege(oid, 'TRUNCATE'))
                 FROM pg_class WHERE relnamespace = 'public'::regnamespace
                   AND relname IN ('journal', 'transfer')), false)
)";

std::vector<finding> judge_durability(const pqxx::row& facts) {
  std::vector<finding> found;
  if (facts[0].as<std::string>() != "on")
    found.push_back({weight::refuse, "fsync_off",
                     "fsync is off: a power cut destroys the database. Set fsync = on."});
  if (facts[1].as<std::string>() != "on")
    found.push_back({weight::refuse, "full_page_writes_off",
                     "full_page_writes is off: a power cut can tear pages. Set full_page_writes "
                     "= on."});
  if (facts[2].as<std::string>() == "off")
    found.push_back({weight::refuse, "synchronous_commit_off",
                     "synchronous_commit is off: payments that were acknowledged are lost when the "
                     "server crashes. Set synchronous_commit = on, for the role and the database "
                     "as well."});
  return found;
}

void judge_settings(const pqxx::row& facts, const std::string& commit,
                    std::vector<finding>& found) {
  auto add = [&found](weight how, std::string name, std::string sentence) {
    found.push_back({how, std::move(name), std::move(sentence)});
  };
  if (facts[0].as<int>() < oldest_server)
    add(weight::refuse, "version_too_old", "The server is older than PostgreSQL 15: upgrade it.");
  if (facts[1].as<std::string>() != "on")
    add(weight::risk, "checksums_off",
        "Data checksums are off: a failing disk goes unnoticed. Stop the server and run "
        "pg_checksums --enable.");
  const bool any_standby = facts[3].as<long>() > 0;
  const bool waits = !facts[2].as<std::string>().empty() && commit != "local";
  if (any_standby && !waits)
    add(weight::risk, "standby_asynchronous",
        "The standby follows asynchronously: a failover loses the last acknowledged payments. Set "
        "synchronous_standby_names for a failover without loss.");
}

} // namespace

std::string why_not_durable(pqxx::connection_base& service) {
  pqxx::nontransaction work{service};
  std::string out;
  for (auto& f : judge_durability(work.exec1(durability_query)))
    out += (out.empty() ? "" : " ") + f.sentence;
  return out;
}

std::string why_not_durable(const std::string& service_conninfo) {
  pqxx::connection connection{service_conninfo};
  return why_not_durable(connection);
}

std::vector<finding> examine_database(pqxx::connection_base& service) {
  pqxx::nontransaction work{service};
  const auto durability = work.exec1(durability_query);
  const auto facts = work.exec1(facts_query);
  auto found = judge_durability(durability);
  judge_settings(facts, durability[2].as<std::string>(), found);
  if (facts[4].as<bool>())
    found.push_back({weight::refuse, "standby",
                     "The server is a standby and cannot be written: point database.url at the "
                     "primary, or promote it."});
  if (facts[5].as<bool>() || facts[6].as<bool>())
    found.push_back({weight::refuse, "service_may_alter_books",
                     "The user of database.url may change the journal or the ledger: use a user "
                     "that is only a member of rahat_service, neither superuser nor owner."});
  return found;
}

std::vector<finding> examine_database(const std::string& service_conninfo) {
  pqxx::connection connection{service_conninfo};
  return examine_database(connection);
}

} // namespace rahat
