#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rahat {

/// One forward-only step of the schema. Numbers run 1, 2, 3, ... without a gap.
struct migration {
  int number = 0;
  std::string name;
  std::string sql; // several statements; runs in one transaction with its own record
};

/// The schema cannot be brought to what this binary needs. The message says what to do.
class migration_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The files of persistence/migrations, compiled into this binary.
std::vector<migration> built_in_migrations();

/// Told of each step: an event name and a detail, both for the log.
using migration_log = std::function<void(std::string_view event, std::string detail)>;

/// Brings the database to the last of `steps` and returns how many were applied now.
///
/// `owner_conninfo` is a connection of the role that owns the schema, or of an administrator that
/// may `SET ROLE rahat_owner`. Nodes that start together wait for each other on an advisory lock
/// (at most 60 s). Each step and its row in `schema_migration` are one transaction. Afterwards the
/// service role's rights are set anew (`grant_rights` in roles.hpp).
///
/// Throws migration_error when an applied step's text has changed, when the database knows a step
/// that this binary does not (it is newer), when `steps` has a gap, or when a step's SQL fails:
/// earlier steps stay applied, the failed one leaves nothing behind.
int migrate(const std::string& owner_conninfo, const std::vector<migration>& steps,
            const migration_log& log = {});

/// The check alone, by any role that may read `schema_migration`: throws migration_error unless the
/// database stands exactly at the last of `steps`. For a node that has no owner connection.
void require_schema(const std::string& conninfo, const std::vector<migration>& steps);

} // namespace rahat
