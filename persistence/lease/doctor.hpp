#pragma once

#include <string>
#include <vector>

namespace pqxx {
class connection_base;
}

namespace rahat {

/// Something about the database that an operator has to know.
struct finding {
  enum class weight {
    refuse, // what is acknowledged could be lost or altered
    risk,   // the node serves; the operator accepts the risk
  };
  weight how = weight::risk;
  std::string name;     // stable, e.g. "fsync_off"
  std::string sentence; // what it means and what to do
};

/// Looks at the server with the service's connection: version, fsync, full_page_writes,
/// synchronous_commit, checksums, standbys, and whether this role could alter the journal. Empty
/// when all is well. Throws pqxx's errors.
std::vector<finding> examine_database(pqxx::connection_base& service);

/// Why the server could lose commits that it has acknowledged on this session: fsync,
/// full_page_writes or synchronous_commit is off, with what to do; empty: it could not (R8). Throws
/// pqxx's errors.
std::string why_not_durable(pqxx::connection_base& service);

/// The same on a connection of its own.
std::string why_not_durable(const std::string& service_conninfo);

/// `examine_database` on a connection of its own.
std::vector<finding> examine_database(const std::string& service_conninfo);

} // namespace rahat
