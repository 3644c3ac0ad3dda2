#include "runtime/trust/secret_file.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>

namespace rahat {

file::~file() {
  if (fd_ >= 0)
    ::close(fd_);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<std::size_t> read_up_to(int fd, std::string& text) {
  std::size_t size = 0;
  while (size < text.size()) {
    auto n = ::read(fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return std::nullopt;
    if (n == 0)
      break;
    size += static_cast<std::size_t>(n);
  }
  return size;
}

bool sync_folder_of(const std::string& path) {
  auto slash = path.rfind('/');
  auto name = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  file folder(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.is_open() && ::fsync(folder.fd()) == 0;
}

} // namespace rahat
