#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace rahat {

/// 128 bits that name something: an entity, an account, a request. Ordered bytewise, written as a
/// UUID. Most are not random but derived (`derive_id`), so that two nodes that are asked the same
/// thing arrive at the same id.
struct uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const uuid&) const = default;
  bool is_nil() const { return *this == uuid{}; }

  /// The 16 bytes as a string, the form in which ids travel in Protobuf messages.
  std::string raw() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  /// Lower-case 8-4-4-4-12 form.
  std::string str() const;

  /// From 16 raw bytes; any other length gives the nil id.
  static uuid from_raw(std::string_view raw);

  /// From the 8-4-4-4-12 form, upper or lower case; nothing else is accepted.
  static std::optional<uuid> parse(std::string_view text);
};

using digest = std::array<std::uint8_t, 32>;

/// SHA-256 over the parts, each preceded by its length as 8 bytes big endian, so that no two lists
/// of parts share an encoding.
digest hash_parts(std::initializer_list<std::string_view> parts);

/// The first 128 bits of `hash_parts`, marked as a UUID of version 8 (RFC 9562: custom).
uuid derive_id(std::initializer_list<std::string_view> parts);

/// SHA-256 of one string of bytes.
digest sha256(std::string_view bytes);

inline std::string_view view(const digest& d) {
  return {reinterpret_cast<const char*>(d.data()), d.size()};
}

std::string hex(std::string_view bytes);

/// The number of shards of an installation; fixed for its life, because ids are hashed into it.
inline constexpr std::uint16_t shard_count = 256;

using shard_id = std::uint16_t;

/// An entity's address: which kind of aid object, and which one. Equal ids of different kinds are
/// different entities.
struct entity_ref {
  std::string kind;
  uuid id;

  auto operator<=>(const entity_ref&) const = default;
  std::string str() const { return kind + "/" + id.str(); }
};

/// shard = hash(kind, id) mod 256. The same on every node and in every release.
shard_id shard_of(const entity_ref& entity);

} // namespace rahat

template <>
struct std::hash<rahat::uuid> {
  std::size_t operator()(const rahat::uuid& id) const noexcept;
};

template <>
struct std::hash<rahat::entity_ref> {
  std::size_t operator()(const rahat::entity_ref& entity) const noexcept;
};
