#pragma once

#include "runtime/decider/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace rahat {

/// Bytes of a PEM file that is read; a larger one is not what it was taken for.
inline constexpr std::size_t max_pem_bytes = 64 * 1024;

using pem_text = std::variant<std::string, error>;

/// The text of a PEM file. A private one that others than its owner may read is refused.
pem_text read_pem_file(const std::string& path, bool is_private);

/// Writes the whole file or nothing, and syncs it. `force` replaces a file that is there, otherwise
/// it stays and an error says so. A private one gets mode 0600, any other 0644.
std::optional<error> write_pem_file(const std::string& path, std::string_view text, bool is_private,
                                    bool force);

} // namespace rahat
