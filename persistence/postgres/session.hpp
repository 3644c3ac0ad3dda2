#pragma once

#include "persistence/postgres/options.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pqxx {
class connection_base;
}

namespace rahat::pg {

/// The database is another one than that whose epochs we hold: promoted or restored (R8).
class other_generation : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The server would acknowledge commits that it can lose. Says what to set.
class unsafe_server : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The connection string of one of the store's threads: time-outs, keepalives, application_name
/// "rahat/<node>/<incarnation>/<part>".
std::string session_conninfo(const store_options& how, std::string_view part);

/// A shared_ptr, because pqxx::connection_base has no virtual destructor and that remembers the
/// right one.
/// Connects, checks the generation and that commits are durable. Throws other_generation,
/// unsafe_server, generation_error (a standby) and pqxx's errors.
std::shared_ptr<pqxx::connection_base> open_session(const store_options& how,
                                                    std::string_view part);

} // namespace rahat::pg
