#include "runtime/trust/master_key.hpp"

#include "runtime/trust/secret_file.hpp"

#include "runtime/decider/id.hpp"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

namespace rahat {

namespace {

constexpr std::size_t hex_size = 2 * key256::size;
constexpr std::size_t most_file_bytes = 256; // more than 64 digits and a line end: not our file

error file_error(const std::string& path, const char* what) {
  return {errc::invalid_input,
          std::string(what) + " the master key file " + path + ": " + std::strerror(errno),
          "trust.master_key"};
}

/// Makes the file under another name first: a crash must not leave half a key behind, and of two
/// processes that start at once the first one's key stands.
std::optional<error> create_key_file(const std::string& path, random& dice) {
  key256 fresh;
  dice.fill(fresh.data(), key256::size);
  auto text = hex(fresh.view()) + "\n";
  auto draft = path + ".new." + std::to_string(::getpid());
  {
    file out(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    auto ok = out.is_open() && ::fchmod(out.fd(), 0600) == 0 && write_all(out.fd(), text) &&
              ::fsync(out.fd()) == 0;
    OPENSSL_cleanse(text.data(), text.size());
    if (!ok) {
      auto why = file_error(path, "cannot write");
      ::unlink(draft.c_str());
      return why;
    }
  }
  auto linked = ::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST;
  auto why = linked ? std::nullopt : std::optional(file_error(path, "cannot create"));
  ::unlink(draft.c_str());
  if (!why && !sync_folder_of(path))
    return file_error(path, "cannot sync");
  return why;
}

master_key_result read_key_file(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0)
    return file_error(path, "cannot look at");
  if ((info.st_mode & 077) != 0)
    return error{errc::invalid_input,
                 "the master key file " + path + " can be read by others: run chmod 600 " + path,
                 "trust.master_key"};
  std::string text(most_file_bytes, '\0');
  auto size = read_up_to(fd, text);
  if (!size)
    return file_error(path, "cannot read");
  auto result = parse_master_key(std::string_view(text).substr(0, *size));
  OPENSSL_cleanse(text.data(), text.size());
  if (auto* why = std::get_if<error>(&result))
    why->message = "the file " + path + " is not a master key: " + why->message;
  return result;
}

int nibble(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

key256::~key256() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

master_key_result parse_master_key(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  auto first = text.find_first_not_of(blanks);
  if (first != std::string_view::npos)
    text = text.substr(first, text.find_last_not_of(blanks) - first + 1);
  if (first == std::string_view::npos || text.size() != hex_size)
    return error{errc::invalid_input, "a master key is 64 hex digits (32 bytes)",
                 "trust.master_key"};
  master_key out;
  for (std::size_t i = 0; i < key256::size; ++i) {
    auto high = nibble(text[2 * i]);
    auto low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return error{errc::invalid_input, "a master key has only the digits 0-9 and a-f",
                   "trust.master_key"};
    out.key.data()[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return out;
}

master_key_result load_master_key(const std::string& path, bool create, random& dice) {
  constexpr int flags = O_RDONLY | O_CLOEXEC;
  {
    file existing(::open(path.c_str(), flags));
    if (existing.is_open())
      return read_key_file(existing.fd(), path);
  }
  if (errno != ENOENT || !create)
    return file_error(path, "cannot open");
  if (auto why = create_key_file(path, dice))
    return *why;
  file made(::open(path.c_str(), flags));
  return made.is_open() ? read_key_file(made.fd(), path)
                        : master_key_result(file_error(path, "cannot open"));
}

key256 derive_key(const key256& from, std::string_view label) {
  std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr),
                                                        &EVP_KDF_free);
  std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> ctx(EVP_KDF_CTX_new(kdf.get()),
                                                                &EVP_KDF_CTX_free);
  char hash[] = "SHA256";
  auto info = std::string(label);
  key256 in = from;
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, in.data(), key256::size),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  key256 out;
  if (!ctx || EVP_KDF_derive(ctx.get(), out.data(), key256::size, params) != 1)
    throw std::runtime_error("HKDF failed");
  return out;
}

} // namespace rahat
