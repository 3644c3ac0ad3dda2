#pragma once

#include <filesystem>
#include <string>

namespace rahat {

/// A node's data folder, held by this process alone: `flock` on `<data>/rahatd.lock` from
/// construction to destruction. The kernel lets go of it when the process dies, however it dies.
///
///   <data>/rahatd.lock   the lock; holds the owner's process id for the message of the loser
///   <data>/node.uuid     who this node is (node_identity.hpp)
///   <data>/incarnation   the count of its starts
///   <data>/secrets/      0700, files 0600: generated passwords and keys
///   <data>/postgres/     the embedded cluster        <data>/run/  its socket        <data>/log/
class data_folder {
public:
  /// Makes the folder where it is missing. Throws embedded_error when another process holds it
  /// (the message names its process id) or when it cannot be made or written.
  explicit data_folder(const std::filesystem::path& path);
  ~data_folder();

  data_folder(const data_folder&) = delete;
  data_folder& operator=(const data_folder&) = delete;

  /// Absolute.
  const std::filesystem::path& path() const { return path_; }

  /// The secret of that name, 64 hex digits; made from the system's random source at its first use
  /// and kept in `<data>/secrets/<name>`, readable by this process' user only.
  std::string secret(const std::string& name);
  bool has_secret(const std::string& name) const;

private:
  std::filesystem::path path_;
  int lock_fd_ = -1;
};

/// Writes a file so that a crash leaves the old one or the new one, never a part: temporary file,
/// fsync, rename, fsync of the folder. Throws embedded_error.
void write_file_durably(const std::filesystem::path& file, const std::string& text);

/// A whole small file; empty when it cannot be read.
std::string read_small_file(const std::filesystem::path& file);

} // namespace rahat
