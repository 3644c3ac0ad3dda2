#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/trust/master_key.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace rahat {

/// Personal fields of one household as they are stored.
///
///   sealed      = version (1 byte, 1) | nonce (12) | ciphertext | tag (16)   under the row's key
///   wrapped_key = version (1 byte, 1) | nonce (12) | row key (32) | tag (16) under the upload's
///   key
///
/// AES-256-GCM both. The associated data is the version, the upload's id and the row's number in
/// the file (4 bytes big endian), so that a row that was moved elsewhere does not open.
struct sealed_row {
  std::string sealed;
  std::string wrapped_key;
};

enum class open_failure {
  erased,          // the wrapped key is gone: nobody can read this person's fields any more
  damaged,         // altered, moved to another row, or sealed under another master key
  unknown_version, // written by a newer release
};

using opened_row = std::variant<std::string, open_failure>;

/// Seals and opens the rows of one upload. Each row gets a fresh random key; it is wrapped by a key
/// that derives from the master key and the upload, so that no wrapping key meets more than 2^32
/// random nonces. Keeps its cipher contexts; one thread at a time.
class row_sealer {
public:
  row_sealer(const key256& upload_key, const uuid& upload, random& dice);
  ~row_sealer();
  row_sealer(row_sealer&&) noexcept;
  row_sealer& operator=(row_sealer&&) noexcept;

  sealed_row seal(std::uint32_t row, std::string_view plaintext);
  opened_row open(std::uint32_t row, std::string_view sealed, std::string_view wrapped_key);

  /// What sealing adds to a plaintext, bytes.
  static constexpr std::size_t overhead = 1 + 12 + 16;
  static constexpr std::size_t wrapped_size = overhead + key256::size;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace rahat
