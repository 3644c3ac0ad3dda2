#pragma once

#include <sys/types.h>
#include <filesystem>
#include <string>
#include <vector>

namespace rahat {

/// The operating system account that Postgres' programs run as. Postgres refuses to run as root, so
/// a node started by root hands them to the user `postgres`; any other user keeps them itself.
struct os_account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string name;
  bool is_other = false; // the programs run under another account than this process
};

/// Throws embedded_error when this process is root and no user `postgres` exists.
os_account server_account();

/// Gives up this process' rights for the account's. Only between fork and exec: it makes plain
/// system calls alone. Returns false when the system refuses.
bool become(const os_account& account) noexcept;

/// The first folder on the way to `folder` (itself included) that the account may not pass, or an
/// empty path. Asked of the kernel as that account, so that ACLs count.
std::filesystem::path first_closed_folder(const std::filesystem::path& folder,
                                          const os_account& account);

/// Makes `folder` if it is missing and gives it to `owner` with exactly `mode`. Throws
/// embedded_error when it exists as something else than a folder or cannot be made.
void own_folder(const std::filesystem::path& folder, uid_t owner, gid_t group, mode_t mode);

} // namespace rahat
