#pragma once

#include <stdexcept>
#include <string>

namespace pqxx {
class connection_base;
}

namespace rahat {

/// Owns the schema and runs migrations; no part of a running node connects as it.
inline constexpr const char* owner_role = "rahat_owner";
/// What a node works as: cannot change or remove what is in the journal or in the ledger.
inline constexpr const char* service_role = "rahat_service";
/// The search projection of personal fields, in its own schema `persons`; nothing else.
inline constexpr const char* persons_role = "rahat_persons";
/// Where the search projection lives.
inline constexpr const char* persons_schema = "persons";

/// A role is missing or may not do what it must. The message names the SQL that repairs it.
class role_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Passwords of the three roles. An empty one means: do not touch that role's password, and create
/// it without login when it is missing.
struct role_secrets {
  std::string owner;
  std::string service;
  std::string persons;
};

/// Creates the three roles where they are missing and sets the given passwords (sent as SCRAM
/// verifiers, never in clear). `admin_conninfo` needs CREATEROLE or finds the roles made already.
void ensure_roles(const std::string& admin_conninfo, const role_secrets& secrets);

/// Creates `database` owned by the owner role, where it is missing (UTF-8, C.UTF-8).
void ensure_database(const std::string& admin_conninfo, const std::string& database);

/// For an existing server: creates roles, lets the owner role create in this database, and lets
/// the login role of `service_conninfo` (`database.url`) work as the service. A login role that is
/// missing is created with the password in the url. Throws role_error with the SQL that a more
/// powerful user would have to run.
void prepare_server(const std::string& admin_conninfo, const std::string& service_conninfo);

/// Sets the rights of the service role on the tables and sequences of schema public. A table whose
/// migration grants nothing to the service gets SELECT, INSERT, UPDATE and DELETE; one that does
/// keeps what it says. Whatever a migration says, the append-only tables (journal, transfer) never
/// give UPDATE, DELETE or TRUNCATE, and `schema_migration` is read-only. Also makes the schema of
/// the search projection. Runs as the owner, in one transaction.
void grant_rights(pqxx::connection_base& owner);

} // namespace rahat
