#include "persistence/postgres/decode.hpp"

#include <stdexcept>

namespace rahat::pg {

namespace {

int nibble(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  throw std::runtime_error("a bytea column is not in hex form");
}

} // namespace

std::string bytes_of(const pqxx::field& f) {
  const std::string_view text{f.c_str(), f.size()};
  if (text.size() < 2 || text[0] != '\\' || text[1] != 'x' || text.size() % 2 != 0)
    throw std::runtime_error("a bytea column is not in hex form");
  std::string out(text.size() / 2 - 1, '\0');
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<char>(nibble(text[2 * i + 2]) << 4 | nibble(text[2 * i + 3]));
  return out;
}

uuid uuid_of(const pqxx::field& f) {
  const auto id = uuid::parse({f.c_str(), f.size()});
  if (!id)
    throw std::runtime_error("a uuid column holds none");
  return *id;
}

std::uint64_t number_of(const pqxx::field& f) {
  return static_cast<std::uint64_t>(f.as<std::int64_t>());
}

std::string text_of(const pqxx::field& f) {
  return {f.c_str(), f.size()};
}

journal_row journal_row_of(const pqxx::row& row) {
  journal_row out;
  out.shard = static_cast<shard_id>(row[0].as<int>());
  out.position = number_of(row[1]);
  out.epoch = number_of(row[2]);
  out.entity = {text_of(row[3]), uuid_of(row[4])};
  out.seq = number_of(row[5]);
  out.type = text_of(row[6]);
  out.payload = bytes_of(row[7]);
  out.principal = text_of(row[8]);
  out.at_us = row[9].as<std::int64_t>();
  out.hash = bytes_of(row[10]);
  return out;
}

} // namespace rahat::pg
