#include "persistence/embedded/data_folder.hpp"

#include "persistence/embedded/account.hpp"
#include "persistence/embedded/errors.hpp"
#include "runtime/decider/id.hpp"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace rahat {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t secret_bytes = 32;

[[noreturn]] void fail(const std::string& what, const fs::path& file) {
  throw embedded_error{"cannot " + what + " " + file.string() + ": " + std::strerror(errno)};
}

void sync_folder(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0)
    fail("make durable the folder", folder);
  close(fd);
}

void write_all(int fd, const std::string& text, const fs::path& file) {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = write(fd, text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR)
      fail("write", file);
    if (n > 0)
      at += static_cast<std::size_t>(n);
  }
}

} // namespace

std::string read_small_file(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

void write_file_durably(const fs::path& file, const std::string& text) {
  auto next = file;
  next += ".new";
  unlink(next.c_str()); // a rest of a crash, perhaps with other rights
  const int fd = open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    fail("make", next);
  write_all(fd, text, next);
  if (fsync(fd) != 0)
    fail("make durable", next);
  close(fd);
  if (rename(next.c_str(), file.c_str()) != 0)
    fail("put in place", file);
  sync_folder(file.parent_path());
}

data_folder::data_folder(const fs::path& path) : path_(fs::absolute(path).lexically_normal()) {
  if (!path_.has_filename()) // written with a slash at its end
    path_ = path_.parent_path();
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) {
    throw embedded_error{"cannot make the data folder " + path_.string() + ": " + error.message() +
                         "; name another one with data.folder"};
  }
  path_ = fs::canonical(path_); // Postgres and /proc name folders without links
  const auto file = path_ / "rahatd.lock";
  lock_fd_ = open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock_fd_ < 0)
    fail("write in the data folder: cannot open", file);
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    const auto holder = read_small_file(file);
    close(lock_fd_);
    throw embedded_error{"the data folder " + path_.string() + " is in use by process " +
                         (holder.empty() ? "(unknown)" : holder.substr(0, holder.find('\n'))) +
                         ": stop that rahatd first, or give this one a data folder of its own"};
  }
  if (ftruncate(lock_fd_, 0) != 0)
    fail("write", file);
  write_all(lock_fd_, std::to_string(getpid()) + "\n", file);
}

data_folder::~data_folder() {
  close(lock_fd_);
}

bool data_folder::has_secret(const std::string& name) const {
  return fs::exists(path_ / "secrets" / name);
}

std::string data_folder::secret(const std::string& name) {
  own_folder(path_ / "secrets", geteuid(), getegid(), 0700);
  const auto file = path_ / "secrets" / name;
  auto kept = read_small_file(file);
  kept.erase(kept.find_last_not_of(" \n") + 1);
  if (!kept.empty())
    return kept;
  if (fs::exists(file)) {
    throw embedded_error{"the secret " + file.string() +
                         " is empty or cannot be read: put it back "
                         "from a backup"};
  }
  unsigned char random[secret_bytes];
  if (RAND_bytes(random, sizeof random) != 1)
    throw embedded_error{"the system's random source failed: no secret could be made"};
  auto fresh = hex({reinterpret_cast<const char*>(random), sizeof random});
  write_file_durably(file, fresh + "\n");
  return fresh;
}

} // namespace rahat
