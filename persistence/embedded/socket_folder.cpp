#include "persistence/embedded/socket_folder.hpp"

#include "persistence/embedded/errors.hpp"
#include "runtime/decider/id.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace rahat {

namespace fs = std::filesystem;

namespace {

bool fits(const fs::path& folder) {
  return (folder / ".s.PGSQL.5432").string().size() <= max_socket_path_bytes;
}

/// True when nothing is there yet, or a folder that only we or the server's account could have
/// made: in /tmp anybody may have put one in our way.
bool is_ours_to_use(const fs::path& folder, const os_account& account) {
  struct stat seen {};
  if (lstat(folder.c_str(), &seen) != 0)
    return errno == ENOENT;
  return S_ISDIR(seen.st_mode) && (seen.st_uid == account.uid || seen.st_uid == geteuid());
}

std::vector<fs::path> short_folders(const std::string& name, const os_account& account) {
  std::vector<fs::path> folders;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/' && !account.is_other)
    folders.push_back(fs::path{runtime} / ("rahat-" + name));
  if (account.is_other) {
    std::error_code ignored;
    fs::create_directories("/run/rahat", ignored);
    folders.push_back(fs::path{"/run/rahat"} / name);
  }
  folders.push_back(fs::path{"/tmp"} / ("rahat-" + name));
  return folders;
}

} // namespace

fs::path make_socket_folder(const fs::path& data, const os_account& account) {
  const auto usual = data / "run";
  if (fits(usual)) {
    own_folder(usual, account.uid, account.gid, 0700);
    return usual;
  }
  const auto name = hex(view(sha256(data.string()))).substr(0, 16);
  std::string reasons;
  for (const auto& folder : short_folders(name, account)) {
    if (!fits(folder) || !is_ours_to_use(folder, account)) {
      reasons += "; " + folder.string() + " is too long or belongs to somebody else";
      continue;
    }
    try {
      own_folder(folder, account.uid, account.gid, 0700);
      return folder;
    } catch (const embedded_error& error) {
      reasons += std::string{"; "} + error.what();
    }
  }
  throw embedded_error{
      "the path of the data folder is too long for a socket and no short folder "
      "could be made" +
      reasons + ": use a data folder with a shorter path"};
}

} // namespace rahat
