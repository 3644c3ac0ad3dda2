#include "persistence/audit/heads_file.hpp"

#include "persistence/audit/errors.hpp"
#include "persistence/audit/options.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace rahat::audit {

namespace {

/// Takes a line apart; every step fails for good once one has failed.
class scanner {
public:
  explicit scanner(std::string_view text) : rest_(text) {}

  bool literal(std::string_view expected) {
    if (!rest_.starts_with(expected))
      return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  template <class Number>
  bool number(Number& out) {
    const auto [end, fault] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    if (fault != std::errc{})
      return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }

  /// Up to the next quote, which is taken as well.
  bool text(std::string& out) {
    const auto end = rest_.find('"');
    if (end == std::string_view::npos)
      return false;
    out = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }

  /// Exactly `size` bytes in lower-case hex and a quote.
  bool bytes(std::size_t size, std::string& out) {
    std::string digits;
    if (!text(digits) || digits.size() != 2 * size)
      return false;
    out.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      unsigned value = 0;
      const auto* from = digits.data() + 2 * i;
      const auto [end, fault] = std::from_chars(from, from + 2, value, 16);
      if (fault != std::errc{} || end != from + 2)
        return false;
      out[i] = static_cast<char>(value);
    }
    return hex(out) == digits;
  }

  bool hash(digest& out) {
    std::string raw;
    if (!bytes(out.size(), raw))
      return false;
    std::memcpy(out.data(), raw.data(), out.size());
    return true;
  }

  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

private:
  std::string_view rest_;
};

bool scan_heads(scanner& s, std::vector<signed_head>& out) {
  if (s.literal("]"))
    return true;
  do {
    signed_head h;
    if (!s.literal("[") || !s.number(h.shard) || !s.literal(",") || !s.number(h.position) ||
        !s.literal(",\"") || !s.hash(h.hash) || !s.literal("]") || h.shard >= shard_count)
      return false;
    out.push_back(h);
  } while (s.literal(","));
  return s.literal("]");
}

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw audit_error{std::string{"cannot "} + what + " " + file.string() + ": " +
                    std::strerror(errno)};
}

class open_file {
public:
  open_file(const std::filesystem::path& file, int flags)
      : fd_(open(file.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~open_file() {
    if (fd_ >= 0)
      close(fd_);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  int fd() const { return fd_; }

private:
  int fd_;
};

/// The end of the file, at most one line's limit of it.
std::string tail_of(int fd, const std::filesystem::path& file) {
  const auto size = lseek(fd, 0, SEEK_END);
  if (size < 0)
    fail(file, "read");
  const auto want =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(size), audit_limits::heads_line_bytes + 2);
  std::string out(want, '\0');
  std::size_t got = 0;
  while (got < want) {
    const auto n = pread(fd, out.data() + got, want - got,
                         size - static_cast<off_t>(want) + static_cast<off_t>(got));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      fail(file, "read");
    got += static_cast<std::size_t>(n);
  }
  return out;
}

void write_all(int fd, std::string_view bytes, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const auto n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      fail(file, "write to");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void sync_folder_of(const std::filesystem::path& file) {
  open_file folder{file.parent_path(), O_RDONLY | O_DIRECTORY};
  if (folder.fd() < 0 || fsync(folder.fd()) != 0)
    fail(file, "sync the folder of");
}

} // namespace

std::string signed_part(const heads_line& line) {
  auto out =
      "{\"at_us\":" + std::to_string(line.at_us) + ",\"node\":\"" + line.node + "\",\"heads\":[";
  for (auto& h : line.heads) {
    if (&h != &line.heads.front())
      out += ',';
    out += "[" + std::to_string(h.shard) + "," + std::to_string(h.position) + ",\"" +
           hex(view(h.hash)) + "\"]";
  }
  return out + "],\"previous\":\"" + hex(view(line.previous)) + "\",\"key\":\"" + line.key + "\"";
}

std::string with_signature(const std::string& part, std::string_view signature) {
  return part + ",\"signature\":\"" + hex(signature) + "\"}";
}

std::optional<heads_line> parse_heads_line(std::string_view text) {
  heads_line line;
  scanner s{text};
  if (!s.literal("{\"at_us\":") || !s.number(line.at_us) || !s.literal(",\"node\":\"") ||
      !s.text(line.node) || !s.literal(",\"heads\":[") || !scan_heads(s, line.heads) ||
      !s.literal(",\"previous\":\"") || !s.hash(line.previous) || !s.literal(",\"key\":\"") ||
      !s.text(line.key))
    return {};
  line.covered = text.substr(0, text.size() - s.left());
  if (!s.literal(",\"signature\":\"") || !s.bytes(64, line.signature) || !s.literal("}") ||
      !s.at_end())
    return {};
  return line;
}

void make_heads_folder(const std::filesystem::path& folder) {
  std::error_code fault;
  std::filesystem::create_directories(folder, fault);
  if (fault || chmod(folder.c_str(), 0700) != 0)
    throw audit_error{"cannot make the folder " + folder.string() + ": " +
                      (fault ? fault.message() : std::strerror(errno))};
}

digest last_line_hash(const std::filesystem::path& file) {
  open_file in{file, O_RDONLY};
  if (in.fd() < 0) {
    if (errno == ENOENT)
      return {};
    fail(file, "open");
  }
  auto tail = tail_of(in.fd(), file);
  if (tail.empty())
    return {};
  if (tail.back() == '\n')
    tail.pop_back();
  const auto from = tail.rfind('\n');
  return sha256(from == std::string::npos ? tail : tail.substr(from + 1));
}

void append_heads_line(const std::filesystem::path& file, const std::string& line) {
  const bool is_new = !std::filesystem::exists(file);
  open_file out{file, O_RDWR | O_APPEND | O_CREAT};
  if (out.fd() < 0)
    fail(file, "open");
  const auto tail = tail_of(out.fd(), file);
  const bool torn = !tail.empty() && tail.back() != '\n';
  write_all(out.fd(), (torn ? "\n" : "") + line + "\n", file);
  if (fsync(out.fd()) != 0)
    fail(file, "sync");
  if (is_new)
    sync_folder_of(file);
}

heads_reader::heads_reader(const std::filesystem::path& file) {
  std::error_code fault;
  const auto size = std::filesystem::file_size(file, fault);
  if (fault)
    return;
  in_.open(file, std::ios::binary);
  if (!in_)
    fail(file, "open");
  left_ = size;
}

bool heads_reader::next(std::string& line) {
  line.clear();
  while (left_ > 0) {
    const auto c = in_.get();
    if (c == std::ifstream::traits_type::eof())
      return false;
    --left_;
    if (c == '\n') {
      ++number_;
      return true;
    }
    if (line.size() <= audit_limits::heads_line_bytes)
      line += static_cast<char>(c);
  }
  return false;
}

} // namespace rahat::audit
