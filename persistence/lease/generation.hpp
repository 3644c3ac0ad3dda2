#pragma once

#include <compare>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pqxx {
class connection_base;
}

namespace rahat {

/// Which life of which database this is: a promoted standby has another timeline, a restored backup
/// too, another cluster another system identifier. Epochs and positions of one generation say
/// nothing about another one (R8), so every shard row names it.
struct generation {
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;

  auto operator<=>(const generation&) const = default;

  /// 12 bytes, big endian: what `shard.generation` holds.
  std::string raw() const;
  /// "7312345678901234567/1" for logs.
  std::string str() const;
};

/// The database is a standby, or does not say what it is.
class generation_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// One row: system identifier (text), name of the WAL file that is being written (its first 8 hex
/// digits are the timeline; the control file's timeline is late after a promotion), null on a
/// standby. For callers that speak to Postgres without libpqxx.
inline constexpr const char* generation_query =
    "SELECT system_identifier::text, CASE WHEN pg_is_in_recovery() THEN NULL"
    " ELSE pg_walfile_name(pg_current_wal_lsn()) END FROM pg_control_system()";

/// Reads the two columns of generation_query; throws generation_error when they are malformed.
generation parse_generation(std::string_view system_identifier, std::string_view wal_file);

/// To be called after each connect, outside a transaction. Throws generation_error on a standby and
/// pqxx's errors otherwise.
generation read_generation(pqxx::connection_base& connection);

/// The same on a connection of its own.
generation read_generation(const std::string& conninfo);

} // namespace rahat
