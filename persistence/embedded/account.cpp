#include "persistence/embedded/account.hpp"

#include "persistence/embedded/errors.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace rahat {

namespace {

constexpr const char* server_user = "postgres";

std::vector<gid_t> groups_of(const std::string& user, gid_t primary) {
  int count = 32;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (getgrouplist(user.c_str(), primary, groups.data(), &count) < 0)
    groups.resize(static_cast<std::size_t>(count));
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

} // namespace

os_account server_account() {
  os_account account;
  if (geteuid() != 0) {
    account.uid = geteuid();
    account.gid = getegid();
    const auto* entry = getpwuid(account.uid);
    account.name = entry != nullptr ? entry->pw_name : std::to_string(account.uid);
    return account;
  }
  const auto* entry = getpwnam(server_user);
  if (entry == nullptr) {
    throw embedded_error{
        "Postgres does not run as root and this machine has no user `postgres`: "
        "install the Debian package postgresql, or start rahatd as another user"};
  }
  account.uid = entry->pw_uid;
  account.gid = entry->pw_gid;
  account.name = server_user;
  account.groups = groups_of(account.name, account.gid);
  account.is_other = true;
  return account;
}

bool become(const os_account& account) noexcept {
  if (!account.is_other)
    return true;
  return setgroups(account.groups.size(), account.groups.data()) == 0 && setgid(account.gid) == 0 &&
         setuid(account.uid) == 0;
}

std::filesystem::path first_closed_folder(const std::filesystem::path& folder,
                                          const os_account& account) {
  std::vector<std::string> steps;
  std::filesystem::path at;
  for (const auto& part : std::filesystem::absolute(folder)) {
    at /= part;
    if (!part.empty())
      steps.push_back(at.string());
  }
  // The child answers with the index of the closed step, or with their number for "none".
  int answer[2];
  if (pipe2(answer, O_CLOEXEC) != 0)
    throw embedded_error{std::string{"cannot make a pipe: "} + std::strerror(errno)};
  const auto child = fork();
  if (child == 0) {
    std::size_t closed = 0;
    if (become(account))
      while (closed < steps.size() && access(steps[closed].c_str(), X_OK) == 0)
        ++closed;
    [[maybe_unused]] auto n = write(answer[1], &closed, sizeof closed);
    _exit(0);
  }
  close(answer[1]);
  std::size_t closed = steps.size();
  const bool told = child > 0 && read(answer[0], &closed, sizeof closed) == sizeof closed;
  close(answer[0]);
  if (child > 0)
    waitpid(child, nullptr, 0);
  if (!told)
    throw embedded_error{"cannot look at " + folder.string() + " as user " + account.name};
  return closed < steps.size() ? std::filesystem::path{steps[closed]} : std::filesystem::path{};
}

void own_folder(const std::filesystem::path& folder, uid_t owner, gid_t group, mode_t mode) {
  auto fail = [&folder](const std::string& what) {
    throw embedded_error{"cannot " + what + " the folder " + folder.string() + ": " +
                         std::strerror(errno)};
  };
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    fail("make");
  // Opened without following links, so that nobody can point us at a folder of somebody else.
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    fail("open");
  struct stat seen {};
  bool done = fstat(fd, &seen) == 0;
  if (done && (seen.st_uid != owner || seen.st_gid != group))
    done = fchown(fd, owner, group) == 0;
  if (done)
    done = fchmod(fd, mode) == 0;
  const int reason = errno;
  close(fd);
  errno = reason;
  if (!done)
    fail("take over");
}

} // namespace rahat
