#include "persistence/migrate/migrate.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/migrate/roles.hpp"
#include "runtime/decider/id.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <pqxx/pqxx>

namespace rahat {

namespace {

/// "rahat" in ASCII: all that migrate one database meet on this number.
constexpr std::int64_t advisory_key = 0x7261686174;
constexpr int lock_timeout_ms = 60'000;

struct applied_step {
  std::string name;
  std::string hash;
};

using history = std::map<int, applied_step>;

std::string label(int number, const std::string& name) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04d", number);
  return std::string{digits} + "_" + name;
}

std::string hash_of(const migration& step) {
  return hex(view(sha256(step.sql)));
}

std::string plain(const std::exception& error) {
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

void check_numbering(const std::vector<migration>& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].number != static_cast<int>(i) + 1) {
      throw migration_error{
          "the migrations are not numbered 1, 2, 3, ...: " + label(steps[i].number, steps[i].name) +
          " stands at place " + std::to_string(i + 1)};
    }
  }
}

bool has_history(pqxx::transaction_base& work) {
  return work.exec1("SELECT to_regclass('public.schema_migration') IS NOT NULL")[0].as<bool>();
}

history read_history(pqxx::transaction_base& work) {
  history done;
  if (has_history(work))
    for (const auto& row : work.exec("SELECT number, name, sha256 FROM schema_migration"))
      done[row[0].as<int>()] = {row[1].c_str(), row[2].c_str()};
  return done;
}

/// What was applied must be a prefix of what this binary knows, word for word.
void check_history(const history& done, const std::vector<migration>& steps) {
  for (const auto& [number, step] : done) {
    if (number < 1 || number > static_cast<int>(steps.size())) {
      throw migration_error{"the database is newer than this binary: it has migration " +
                            label(number, step.name) + ", this binary knows " +
                            std::to_string(steps.size()) +
                            " migrations. Run the rahatd that was used last, or a newer one"};
    }
    const auto& known = steps[static_cast<std::size_t>(number) - 1];
    const auto hash = hash_of(known);
    if (hash != step.hash) {
      throw migration_error{"migration " + label(number, step.name) +
                            " was changed after it had "
                            "been applied (database: " +
                            step.hash.substr(0, 12) + "..., binary: " + hash.substr(0, 12) +
                            "...). Migrations are never edited: run an "
                            "unchanged release, and put the change into a new migration"};
    }
  }
  if (!done.empty() && done.rbegin()->first != static_cast<int>(done.size())) {
    throw migration_error{"the table schema_migration has a gap below number " +
                          std::to_string(done.rbegin()->first) +
                          ": it was edited by hand; restore it from a backup"};
  }
}

void apply(pqxx::connection& owner, const migration& step) {
  try {
    pqxx::work work{owner};
    work.exec(step.sql);
    work.exec_params0("INSERT INTO schema_migration (number, name, sha256) VALUES ($1, $2, $3)",
                      step.number, step.name, hash_of(step));
    work.commit();
  } catch (const pqxx::failure& error) {
    throw migration_error{"migration " + label(step.number, step.name) +
                          " failed and left nothing "
                          "behind; the database stands at migration " +
                          std::to_string(step.number - 1) + ": " + plain(error)};
  }
}

/// Waits for other nodes that migrate, then becomes the owner. The lock ends with the connection.
void enter(pqxx::connection& owner) {
  try {
    pqxx::nontransaction work{owner};
    work.exec0("SET lock_timeout = " + std::to_string(lock_timeout_ms));
    work.exec0("SET client_min_messages = warning");
    work.exec0("SET search_path = public");
    work.exec1("SELECT pg_advisory_lock(" + std::to_string(advisory_key) + ")");
    work.exec0(std::string{"SET ROLE "} + owner_role);
    work.exec0(
        "CREATE TABLE IF NOT EXISTS schema_migration ("
        "number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())");
  } catch (const pqxx::sql_error& error) {
    throw migration_error{"cannot start to migrate: " + plain(error) +
                          " (another node may be "
                          "migrating, or the user of database.admin_url may not act as " +
                          owner_role + ")"};
  }
}

} // namespace

int migrate(const std::string& owner_conninfo, const std::vector<migration>& steps,
            const migration_log& log) {
  check_numbering(steps);
  try {
    pqxx::connection owner{with_field(owner_conninfo, "application_name", "rahat/migrate")};
    enter(owner);
    history done;
    {
      pqxx::nontransaction work{owner};
      done = read_history(work);
    }
    check_history(done, steps);
    int applied = 0;
    for (auto at = done.size(); at < steps.size(); ++at, ++applied) {
      apply(owner, steps[at]);
      if (log)
        log("migration_applied", label(steps[at].number, steps[at].name));
    }
    grant_rights(owner);
    return applied;
  } catch (const pqxx::broken_connection& error) {
    throw migration_error{"the connection to the database was lost or could not be made: " +
                          plain(error)};
  }
}

void require_schema(const std::string& conninfo, const std::vector<migration>& steps) {
  check_numbering(steps);
  try {
    pqxx::connection connection{conninfo};
    pqxx::nontransaction work{connection};
    const auto done = read_history(work);
    check_history(done, steps);
    if (done.size() < steps.size()) {
      throw migration_error{"the database stands at migration " + std::to_string(done.size()) +
                            " and this binary needs " + std::to_string(steps.size()) +
                            ": set database.admin_url to a user that may migrate it"};
    }
  } catch (const pqxx::failure& error) {
    throw migration_error{"cannot read the schema's version: " + plain(error)};
  }
}

} // namespace rahat
