#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rahat {

// Files of keys, by the system's own calls: what matters about them (modes, whole or not at all, on
// the disk before it is used) streams cannot say. errno tells why something failed.

/// An open file descriptor that closes itself.
class file {
public:
  explicit file(int fd) : fd_(fd) {}
  ~file();
  file(const file&) = delete;
  file& operator=(const file&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes);

/// Fills `text` and says how much of it; nothing on a failed read.
std::optional<std::size_t> read_up_to(int fd, std::string& text);

/// What was made, renamed or linked in the file's folder is on the disk.
bool sync_folder_of(const std::string& path);

} // namespace rahat
