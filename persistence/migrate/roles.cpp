#include "persistence/migrate/roles.hpp"

#include "persistence/embedded/conninfo.hpp"

#include <libpq-fe.h>
#include <memory>
#include <pqxx/pqxx>

namespace rahat {

namespace {

using fields = conninfo_fields;

constexpr int tcp_timeout_ms = 10'000;

constexpr const char* rights_sql = R"(
DO $$
DECLARE
  t record;
  service oid := 'rahat_service'::regrole;
BEGIN
  FOR t IN
    SELECT c.oid::regclass AS name, c.relkind,
           c.relname IN ('journal', 'transfer') AS append_only,
           c.relname = 'schema_migration' AS read_only,
           EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = service) AS has_own
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')
      AND NOT c.relispartition AND pg_has_role(c.relowner, 'USAGE')
    ORDER BY c.relname
  LOOP
    IF t.relkind = 'S' THEN
      IF NOT t.has_own THEN
        EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO rahat_service', t.name);
      END IF;
    ELSIF t.read_only THEN
      EXECUTE format('GRANT SELECT ON %s TO rahat_service', t.name);
    ELSIF NOT t.has_own THEN
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO rahat_service', t.name);
    END IF;
    IF t.append_only OR t.read_only THEN
      EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM rahat_service, PUBLIC', t.name);
    END IF;
  END LOOP;
  IF to_regnamespace('persons') IS NULL THEN
    CREATE SCHEMA persons;
    GRANT USAGE, CREATE ON SCHEMA persons TO rahat_persons;
  END IF;
END $$
)";

bool exists(pqxx::transaction_base& work, const std::string& role) {
  return !work.exec_params("SELECT FROM pg_roles WHERE rolname = $1", role).empty();
}

/// Postgres' own sentence without its line breaks.
std::string plain(const std::exception& error) {
  std::string text = error.what();
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  for (auto& c : text)
    if (c == '\n')
      c = ' ';
  return text;
}

/// Runs one statement; when the connected user may not, says who has to run what.
void run(pqxx::connection_base& admin, const std::string& sql, const std::string& shown) {
  try {
    pqxx::nontransaction work{admin};
    work.exec0(sql);
  } catch (const pqxx::sql_error& error) {
    throw role_error{std::string{"the database user `"} + admin.username() +
                     "` may not prepare "
                     "the database (" +
                     plain(error) + "): let an administrator run  " + shown +
                     ";  "
                     "and start again, or name that administrator in database.admin_url"};
  }
}

void run(pqxx::connection_base& admin, const std::string& sql) {
  run(admin, sql, sql);
}

/// The SCRAM verifier of a password, so that the server and its log never see the password. libpqxx
/// 6.4 only makes MD5 ones.
std::string verifier_of(const std::string& admin_conninfo, const std::string& role,
                        const std::string& secret) {
  std::unique_ptr<PGconn, decltype(&PQfinish)> raw{PQconnectdb(admin_conninfo.c_str()), &PQfinish};
  std::unique_ptr<char, decltype(&PQfreemem)> verifier{
      PQencryptPasswordConn(raw.get(), secret.c_str(), role.c_str(), "scram-sha-256"), &PQfreemem};
  if (verifier == nullptr)
    throw role_error{"cannot make a password verifier for " + role + ": " +
                     PQerrorMessage(raw.get())};
  return verifier.get();
}

void ensure_role(pqxx::connection_base& admin, const std::string& admin_conninfo,
                 const std::string& role, const std::string& secret) {
  bool known = false;
  {
    pqxx::nontransaction work{admin};
    known = exists(work, role);
  }
  const auto name = admin.quote_name(role);
  if (!known)
    run(admin, "CREATE ROLE " + name);
  if (secret.empty())
    return;
  const auto verifier = verifier_of(admin_conninfo, role, secret);
  run(admin, "ALTER ROLE " + name + " LOGIN PASSWORD " + admin.quote(verifier),
      "ALTER ROLE " + name + " LOGIN PASSWORD '...'");
}

fields read_url(const std::string& text, const char* setting) {
  try {
    return parse_conninfo(with_keepalives(text, tcp_timeout_ms));
  } catch (const std::invalid_argument& error) {
    throw role_error{std::string{setting} + ": " + error.what()};
  }
}

std::unique_ptr<pqxx::connection> connect(const std::string& text, const char* setting) {
  try {
    return std::make_unique<pqxx::connection>(conninfo(read_url(text, setting)));
  } catch (const pqxx::broken_connection& error) {
    throw role_error{std::string{"cannot connect with "} + setting + ": " + plain(error)};
  }
}

/// The administrator must be able to act as the owner; a superuser always is.
void let_act_as_owner(pqxx::connection_base& admin) {
  try {
    pqxx::work probe{admin};
    probe.exec0(std::string{"SET LOCAL ROLE "} + owner_role);
  } catch (const pqxx::sql_error&) {
    run(admin, std::string{"GRANT "} + owner_role + " TO " + admin.quote_name(admin.username()));
  }
}

void let_owner_create(pqxx::connection_base& admin) {
  pqxx::row may;
  {
    pqxx::nontransaction work{admin};
    may = work.exec_params1(
        "SELECT has_database_privilege($1, current_database(), 'CREATE'),"
        " has_schema_privilege($1, 'public', 'CREATE')",
        owner_role);
  }
  if (!may[0].as<bool>())
    run(admin,
        "GRANT CREATE ON DATABASE " + admin.quote_name(admin.dbname()) + " TO " + owner_role);
  if (!may[1].as<bool>())
    run(admin, std::string{"GRANT CREATE, USAGE ON SCHEMA public TO "} + owner_role);
}

void let_login_serve(pqxx::connection_base& admin, const std::string& admin_conninfo,
                     const fields& service) {
  const auto user = service.find("user");
  if (user == service.end() || user->second.empty())
    throw role_error{"database.url names no user: add one, for example user=rahat_service"};
  bool known = false, serves = false, can_login = false;
  {
    pqxx::nontransaction work{admin};
    const auto rows = work.exec_params(
        "SELECT rolcanlogin, pg_has_role(oid, $2, 'USAGE')"
        " FROM pg_roles WHERE rolname = $1",
        user->second, service_role);
    known = !rows.empty();
    can_login = known && rows[0][0].as<bool>();
    serves = known && rows[0][1].as<bool>();
  }
  if (!can_login) {
    // A role that people already log in as keeps its password: it may serve others as well.
    const auto password = service.find("password");
    if (password == service.end())
      throw role_error{"the user `" + user->second +
                       "` of database.url cannot log in yet and the "
                       "url holds no password to give it: add password=..."};
    ensure_role(admin, admin_conninfo, user->second, password->second);
  }
  if (!serves && user->second != service_role)
    run(admin, std::string{"GRANT "} + service_role + " TO " + admin.quote_name(user->second));
}

} // namespace

void ensure_roles(const std::string& admin_conninfo, const role_secrets& secrets) {
  const auto admin = connect(admin_conninfo, "database.admin_url");
  ensure_role(*admin, admin_conninfo, owner_role, secrets.owner);
  ensure_role(*admin, admin_conninfo, service_role, secrets.service);
  ensure_role(*admin, admin_conninfo, persons_role, secrets.persons);
}

void ensure_database(const std::string& admin_conninfo, const std::string& database) {
  const auto admin = connect(admin_conninfo, "database.admin_url");
  {
    pqxx::nontransaction work{*admin};
    if (!work.exec_params("SELECT FROM pg_database WHERE datname = $1", database).empty())
      return;
  }
  run(*admin, "CREATE DATABASE " + admin->quote_name(database) + " OWNER " + owner_role +
                  " TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'");
}

void prepare_server(const std::string& admin_conninfo, const std::string& service_conninfo) {
  const auto service = read_url(service_conninfo, "database.url");
  ensure_roles(admin_conninfo, {});
  const auto admin = connect(admin_conninfo, "database.admin_url");
  let_act_as_owner(*admin);
  let_owner_create(*admin);
  let_login_serve(*admin, admin_conninfo, service);
  connect(service_conninfo, "database.url");
}

void grant_rights(pqxx::connection_base& owner) {
  try {
    pqxx::work work{owner};
    work.exec0(rights_sql);
    work.commit();
  } catch (const pqxx::sql_error& error) {
    throw role_error{"cannot set the service role's rights: " + plain(error)};
  }
}

} // namespace rahat
