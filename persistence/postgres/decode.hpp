#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <pqxx/pqxx>
#include <string>

/// Columns of a result as the port's types. Only for .cpp files that include pqxx anyway.
namespace rahat::pg {

/// A bytea in its hex form. Throws std::runtime_error when it is none.
std::string bytes_of(const pqxx::field& f);

uuid uuid_of(const pqxx::field& f);
std::uint64_t number_of(const pqxx::field& f);
std::string text_of(const pqxx::field& f);

/// A bytea parameter.
inline pqxx::binarystring as_bytea(const std::string& raw) {
  return pqxx::binarystring{raw};
}

/// The columns of `journal_columns`, in this order.
inline constexpr const char* journal_columns =
    "shard, position, epoch, kind, entity, seq, type, payload, principal, at_us, hash";
journal_row journal_row_of(const pqxx::row& row);

} // namespace rahat::pg
