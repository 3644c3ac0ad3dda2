#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/ports/random.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace rahat {

/// 256 bits that a cipher or a keyed hash takes. Wiped when it goes out of scope.
class key256 {
public:
  static constexpr std::size_t size = 32;

  key256() = default;
  key256(const key256&) = default;
  key256& operator=(const key256&) = default;
  ~key256();

  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  std::string_view view() const { return {reinterpret_cast<const char*>(data()), size}; }

private:
  std::array<std::uint8_t, size> bytes_{};
};

/// The installation's secret, from which all other keys derive. Whoever has it can open every
/// sealed row and forge person ids, so it never leaves the process; without it sealed rows are
/// lost.
struct master_key {
  key256 key;
};

using master_key_result = std::variant<master_key, error>;

/// From 64 hex digits, white space around them allowed: the form of `trust.master_key`.
master_key_result parse_master_key(std::string_view hex_digits);

/// Reads the key from a file of 64 hex digits that only its owner may read. With `create`, a
/// missing file is made first: mode 0600, whole or not at all, synced before this returns. Blocks
/// on disk.
master_key_result load_master_key(const std::string& path, bool create, random& dice);

/// An independent key for one use, by HKDF-SHA-256 (RFC 5869) with `label` as info. Two labels
/// never share a key; the same label always gets the same one. Labels are part of the stored
/// format.
key256 derive_key(const key256& from, std::string_view label);

} // namespace rahat
