#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>

namespace rahat {

/// File descriptors: each connection takes one, and Debian gives a process 1,024 unless it asks for
/// more.

/// Connections of the internal listener; one more is accepted and closed with 503.
inline constexpr std::uint32_t internal_connections = 256;
/// For all else: files, the links to other nodes, the threads' own.
inline constexpr std::uint32_t reserved_files = 512;

/// What the node needs when every listener is full.
std::uint64_t files_needed(const config& settings);

/// Raises the soft limit to the hard one, which a process may do for itself. Returns what it may
/// open then.
std::uint64_t raise_file_limit();

/// What is wrong with the limit as it is, and what to set; empty when `files_needed` fits.
std::string file_shortage(const config& settings);

} // namespace rahat
