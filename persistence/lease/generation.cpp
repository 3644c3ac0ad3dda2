#include "persistence/lease/generation.hpp"

#include <charconv>
#include <pqxx/pqxx>

namespace rahat {

namespace {

constexpr std::size_t timeline_digits = 8;

} // namespace

std::string generation::raw() const {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(system_identifier >> shift & 0xff);
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(timeline >> shift & 0xff);
  return bytes;
}

std::string generation::str() const {
  return std::to_string(system_identifier) + "/" + std::to_string(timeline);
}

generation parse_generation(std::string_view system_identifier, std::string_view wal_file) {
  generation found;
  const auto id_end = system_identifier.data() + system_identifier.size();
  const auto id = std::from_chars(system_identifier.data(), id_end, found.system_identifier);
  const bool long_enough = wal_file.size() >= timeline_digits;
  const auto line_end = wal_file.data() + (long_enough ? timeline_digits : 0);
  const auto line = std::from_chars(wal_file.data(), line_end, found.timeline, 16);
  if (id.ptr != id_end || id.ec != std::errc{} || !long_enough || line.ptr != line_end ||
      found.timeline == 0)
    throw generation_error{"the database does not say which generation it is"};
  return found;
}

generation read_generation(pqxx::connection_base& connection) {
  pqxx::nontransaction work{connection};
  const auto row = work.exec1(generation_query);
  if (row[1].is_null())
    throw generation_error{
        "the database is a standby that cannot be written: point database.url "
        "at the primary, or promote this server"};
  return parse_generation(row[0].c_str(), row[1].c_str());
}

generation read_generation(const std::string& conninfo) {
  pqxx::connection connection{conninfo};
  return read_generation(connection);
}

} // namespace rahat
