#include "persistence/postgres/cursor.hpp"

#include <cstring>

namespace rahat::pg {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t place_bytes = 24; // stamp (8) and id (16)
constexpr std::size_t tag_bytes = 6;    // of the filters; together a multiple of three: no padding
constexpr std::size_t raw_bytes = place_bytes + tag_bytes;
constexpr std::size_t text_bytes = raw_bytes / 3 * 4;

digest tag_of(const list_query& q) {
  const auto text = [](const std::optional<uuid>& id) { return id ? id->str() : "any"; };
  return hash_parts({"list", q.kind, text(q.project), text(q.parent),
                     q.status ? "is " + *q.status : "any", q.newest_first ? "newest" : "oldest"});
}

} // namespace

std::string to_cursor(const list_query& list, const list_place& place) {
  const auto tag = tag_of(list);
  std::array<std::uint8_t, raw_bytes> raw;
  const auto stamp = static_cast<std::uint64_t>(place.created_us);
  for (std::size_t i = 0; i < 8; ++i)
    raw[i] = static_cast<std::uint8_t>(stamp >> (56 - 8 * i));
  std::memcpy(raw.data() + 8, place.id.bytes.data(), place.id.bytes.size());
  std::memcpy(raw.data() + place_bytes, tag.data(), tag_bytes);
  std::string text;
  text.reserve(text_bytes);
  for (std::size_t i = 0; i < raw_bytes; i += 3) {
    const auto three = static_cast<std::uint32_t>(raw[i] << 16 | raw[i + 1] << 8 | raw[i + 2]);
    for (int shift = 18; shift >= 0; shift -= 6)
      text += alphabet[three >> shift & 63];
  }
  return text;
}

std::optional<list_place> from_cursor(const list_query& list) {
  const std::string_view text{list.cursor};
  if (text.size() != text_bytes)
    return std::nullopt;
  std::array<std::uint8_t, raw_bytes> raw;
  for (std::size_t i = 0, at = 0; i < text_bytes; i += 4, at += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const auto six = alphabet.find(text[i + k]);
      if (six == alphabet.npos)
        return std::nullopt;
      three = three << 6 | static_cast<std::uint32_t>(six);
    }
    raw[at] = static_cast<std::uint8_t>(three >> 16);
    raw[at + 1] = static_cast<std::uint8_t>(three >> 8);
    raw[at + 2] = static_cast<std::uint8_t>(three);
  }
  const auto tag = tag_of(list);
  if (std::memcmp(raw.data() + place_bytes, tag.data(), tag_bytes) != 0)
    return std::nullopt;
  list_place place;
  std::uint64_t stamp = 0;
  for (std::size_t i = 0; i < 8; ++i)
    stamp = stamp << 8 | raw[i];
  place.created_us = static_cast<std::int64_t>(stamp);
  std::memcpy(place.id.bytes.data(), raw.data() + 8, place.id.bytes.size());
  return place;
}

} // namespace rahat::pg
