#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <string>

namespace rahat::audit {

/// A connection whose transactions may take as long as an audit does. Only for .cpp files that
/// include pqxx anyway. Throws pqxx's errors.
std::unique_ptr<pqxx::connection> open_session(const std::string& conninfo);

/// Everything that such a transaction reads is of one moment of the database.
using one_moment = pqxx::transaction<pqxx::repeatable_read, pqxx::readwrite_policy::read_only>;
using one_moment_writing = pqxx::transaction<pqxx::repeatable_read>;

} // namespace rahat::audit
