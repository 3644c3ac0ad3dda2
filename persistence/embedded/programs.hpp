#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace rahat {

/// One installed Postgres: the folder of its programs and its major version.
struct postgres_programs {
  std::filesystem::path bin;
  int major = 0;

  std::filesystem::path program(const char* name) const { return bin / name; }
};

/// The oldest major version that Rahat's SQL runs on.
inline constexpr int oldest_postgres = 15;

/// Every Postgres server found on this machine, newest first: /usr/lib/postgresql/*/bin (Debian),
/// /usr/pgsql-*/bin (Red Hat), and wherever `pg_config --bindir` and PATH point. Only folders that
/// hold both `postgres` and `initdb` count.
std::vector<postgres_programs> installed_postgres();

/// The major version in a data folder's PG_VERSION; none when the folder holds no cluster.
std::optional<int> cluster_version(const std::filesystem::path& cluster);

/// The programs to run `cluster` with: the newest for a new cluster, the same major version for an
/// existing one. Throws embedded_error that says what to install, or how to upgrade the cluster.
postgres_programs choose_postgres(const std::filesystem::path& cluster,
                                  const std::vector<postgres_programs>& installed);

} // namespace rahat
