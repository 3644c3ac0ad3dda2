#include "config/sources.hpp"

#include <array>
#include <cerrno>
#include <fstream>

namespace rahat::config_detail {

namespace {

constexpr std::size_t max_file_bytes = 1024 * 1024;

} // namespace

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  std::array<char, 4096> piece{};
  while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > max_file_bytes) {
      errno = EFBIG;
      return std::nullopt;
    }
  }
  // A folder opens and then fails to be read.
  if (!in.is_open() || in.bad())
    return std::nullopt;
  return text;
}

} // namespace rahat::config_detail
