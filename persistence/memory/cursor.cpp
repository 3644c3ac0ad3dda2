#include "persistence/memory/cursor.hpp"

namespace rahat::memory {

namespace {

constexpr std::size_t time_digits = 16;
constexpr std::size_t id_digits = 32;
constexpr std::size_t filter_digits = 16;

std::string filters_of(const list_query& q) {
  auto text = [](const std::optional<uuid>& id) { return id ? id->str() : std::string("any"); };
  auto status = q.status ? "is " + *q.status : std::string("any");
  auto hash = hash_parts({"list", q.kind, text(q.project), text(q.parent), status,
                          q.newest_first ? "newest" : "oldest"});
  return hex(view(hash)).substr(0, filter_digits);
}

/// Only what `hex` writes is accepted.
std::optional<std::string> bytes_of(std::string_view digits) {
  constexpr std::string_view alphabet = "0123456789abcdef";
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    auto high = alphabet.find(digits[i]);
    auto low = alphabet.find(digits[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos)
      return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

} // namespace

std::string cursor_of(const list_query& q, const list_place& last) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<std::uint64_t>(last.created_us) >> shift);
  return hex(bytes + last.id.raw()) + filters_of(q);
}

std::optional<list_place> place_of(const list_query& q) {
  constexpr auto size = time_digits + id_digits + filter_digits;
  if (q.cursor.size() != size || !q.cursor.ends_with(filters_of(q)))
    return std::nullopt;
  auto bytes = bytes_of(std::string_view(q.cursor).substr(0, time_digits + id_digits));
  if (!bytes)
    return std::nullopt;
  std::uint64_t created = 0;
  for (std::size_t i = 0; i < time_digits / 2; ++i)
    created = created << 8 | static_cast<unsigned char>((*bytes)[i]);
  return list_place{static_cast<std::int64_t>(created),
                    uuid::from_raw(std::string_view(*bytes).substr(time_digits / 2))};
}

} // namespace rahat::memory
