#pragma once

#include "persistence/embedded/account.hpp"

#include <filesystem>

namespace rahat {

/// A Unix socket's path may hold 107 bytes; Postgres calls its socket `.s.PGSQL.<port>`.
inline constexpr std::size_t max_socket_path_bytes = 107;

/// Where the server of `data` puts its socket, made 0700 and owned by `account`: `<data>/run`, or,
/// when that path is too long for a socket, a short folder named after a hash of `data` below
/// $XDG_RUNTIME_DIR, /run/rahat or /tmp, whichever can be made first. A folder that somebody else
/// made there in advance is not used. Throws embedded_error.
std::filesystem::path make_socket_folder(const std::filesystem::path& data,
                                         const os_account& account);

} // namespace rahat
