#include "runtime/trust/pem_file.hpp"

#include "runtime/trust/secret_file.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rahat {

namespace {

constexpr mode_t private_mode = 0600;
constexpr mode_t public_mode = 0644;
constexpr mode_t of_others = 077;

error file_error(const char* what, const std::string& path) {
  return {errc::invalid_input, std::string(what) + ' ' + path + ": " + std::strerror(errno), ""};
}

bool write_draft(const std::string& path, std::string_view text, mode_t mode) {
  file out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  return out.is_open() && ::fchmod(out.fd(), mode) == 0 && write_all(out.fd(), text) &&
         ::fsync(out.fd()) == 0;
}

} // namespace

pem_text read_pem_file(const std::string& path, bool is_private) {
  file in(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!in.is_open() || ::fstat(in.fd(), &info) != 0)
    return file_error("cannot open", path);
  if (is_private && (info.st_mode & of_others) != 0)
    return error{errc::invalid_input,
                 "the private key " + path + " can be read by others: run chmod 600 " + path, ""};
  std::string text(max_pem_bytes + 1, '\0');
  auto size = read_up_to(in.fd(), text);
  if (!size)
    return file_error("cannot read", path);
  if (*size > max_pem_bytes)
    return error{errc::invalid_input, path + " is too large for a certificate or a key", ""};
  text.resize(*size);
  return text;
}

std::optional<error> write_pem_file(const std::string& path, std::string_view text, bool is_private,
                                    bool force) {
  // Under another name first: a crash must not leave half a file, nor a moment with other rights.
  auto draft = path + ".new." + std::to_string(::getpid());
  if (!write_draft(draft, text, is_private ? private_mode : public_mode)) {
    auto why = file_error("cannot write", path);
    ::unlink(draft.c_str());
    return why;
  }
  auto placed = force ? ::rename(draft.c_str(), path.c_str()) : ::link(draft.c_str(), path.c_str());
  std::optional<error> why;
  if (placed != 0)
    why = errno == EEXIST ? error{errc::already_exists,
                                  path +
                                      " is there already and was left as it is: give another "
                                      "name, or --force to replace it",
                                  ""}
                          : file_error("cannot write", path);
  ::unlink(draft.c_str());
  if (!why && !sync_folder_of(path))
    return file_error("cannot sync the folder of", path);
  return why;
}

} // namespace rahat
