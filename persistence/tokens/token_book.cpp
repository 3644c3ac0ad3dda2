#include "persistence/tokens/token_book.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "runtime/telemetry/log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <pqxx/pqxx>
#include <stdexcept>
#include <utility>

namespace rahat {

namespace {

constexpr std::array<std::string_view, 5> roles{"admin", "maker", "checker", "operator", "reader"};
constexpr std::string_view prefix = "rht_"; // so that leaked ones can be searched for

bool is_user_name(std::string_view user) {
  return !user.empty() && user.size() <= token_book::max_user_bytes &&
         std::all_of(user.begin(), user.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == '@';
         });
}

std::string read_line(const std::string& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line;
}

/// Writes beside the file and renames, so that nobody reads half a token.
void write_secret(const std::string& file, const std::string& text) {
  auto beside = file + ".new";
  ::unlink(beside.c_str());
  int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    throw std::runtime_error("cannot write " + file + ": " + std::strerror(errno));
  auto line = text + "\n";
  bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                 ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(beside.c_str(), file.c_str()) != 0)
    throw std::runtime_error("cannot write " + file + ": " + std::strerror(errno));
}

constexpr int silent_ms = 5'000;

/// Changes with each row that comes, goes or is revoked, whatever the clocks of the nodes say.
constexpr const char* state_sql =
    "SELECT concat_ws(' ', count(*), count(revoked_us), max(created_us), max(revoked_us))"
    " FROM token";

constexpr const char* owners_sql =
    "SELECT encode(hash, 'hex'), user_name, role FROM token WHERE revoked_us IS NULL";

digest digest_of_hex(const std::string& text) {
  digest out{};
  for (std::size_t i = 0; i < out.size() && 2 * i + 1 < text.size(); ++i)
    out[i] = static_cast<std::uint8_t>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  return out;
}

} // namespace

token_book::token_book(std::string service_conninfo, const clock& time, random& dice)
    : conninfo_(std::move(service_conninfo)), time_(time), dice_(dice) {
  refresh();
}

token_book::~token_book() {
  stop();
}

/// A server that has gone silent must not hold up the end of the node.
pqxx::connection_base& token_book::reading_connection() {
  if (!reading_) {
    auto text = with_keepalives(conninfo_, silent_ms);
    auto options = parse_conninfo(text)["options"] +
                   " -c statement_timeout=" + std::to_string(silent_ms) + " -c TimeZone=UTC";
    reading_ = std::make_shared<pqxx::connection>(with_field(text, "options", options));
  }
  return *reading_;
}

bool token_book::refresh() {
  std::lock_guard changing{changing_};
  try {
    pqxx::nontransaction read{reading_connection()};
    // Taken before the rows: what changes between the two makes the next reading read again.
    auto state = read.exec1(state_sql)[0].as<std::string>();
    if (state == state_)
      return false;
    owners found;
    for (auto row : read.exec(owners_sql))
      found[digest_of_hex(row[0].as<std::string>())] = {row[1].as<std::string>(),
                                                        row[2].as<std::string>()};
    state_ = std::move(state);
    std::unique_lock lock{mutex_};
    owners_.swap(found);
    return true;
  } catch (...) {
    reading_.reset();
    throw;
  }
}

void token_book::run() {
  bool told = false; // one line a disturbance
  std::unique_lock lock{ending_mutex_};
  while (!wake_.wait_for(lock, refresh_every, [this] { return ending_; })) {
    lock.unlock();
    try {
      refresh();
      told = false;
    } catch (const std::exception& e) {
      if (!std::exchange(told, true))
        log::warning("tokens_not_read", {{"reason", std::string_view{e.what()}}});
    }
    lock.lock();
  }
}

part token_book::as_part() {
  const auto start = [this](death_notice died) {
    if (!thread_.running()) {
      {
        std::lock_guard lock{ending_mutex_};
        ending_ = false;
      }
      thread_.start([this] { run(); });
    }
    thread_.watch(std::move(died));
  };
  return {"tokens", "tokens", start, [this] { stop(); },
          [this] { return std::to_string(size()) + " tokens"; }};
}

void token_book::stop() {
  {
    std::lock_guard lock{ending_mutex_};
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::optional<token_owner> token_book::owner_of(std::string_view token) const {
  if (!token.starts_with(prefix))
    return std::nullopt;
  auto hash = sha256(token);
  std::shared_lock lock{mutex_};
  auto found = owners_.find(hash);
  if (found == owners_.end())
    return std::nullopt;
  return found->second;
}

std::variant<std::string, error> token_book::create(const std::string& user,
                                                    const std::string& role) {
  if (!is_user_name(user))
    return error{errc::invalid_input, "a user name has 1 to 64 letters, digits and . - _ @ only",
                 "user"};
  if (std::find(roles.begin(), roles.end(), role) == roles.end())
    return error{errc::invalid_input, "the role must be admin, maker, checker, operator or reader",
                 "role"};
  if (size() >= max_tokens)
    return error{errc::limit_exceeded, "there are too many tokens", {}};
  std::array<char, 32> bytes;
  dice_.fill(bytes.data(), bytes.size());
  auto token = std::string{prefix} + hex({bytes.data(), bytes.size()});
  auto hash = sha256(token);
  std::lock_guard changing{changing_};
  try {
    pqxx::connection connection{conninfo_};
    pqxx::work work{connection};
    work.exec_params(
        "INSERT INTO token (hash, user_name, role, created_us)"
        " VALUES (decode($1, 'hex'), $2, $3, $4)",
        hex(view(hash)), user, role, time_.now_us());
    work.commit();
  } catch (const pqxx::failure& e) {
    return error{errc::unavailable, std::string{"the token could not be stored: "} + e.what(), {}};
  }
  std::unique_lock lock{mutex_};
  owners_[hash] = {user, role};
  return token;
}

bool token_book::ensure_admin_file(const std::string& file) {
  auto owner = owner_of(read_line(file));
  if (owner && owner->role == "admin")
    return false;
  auto made = create("admin", "admin");
  if (auto* e = std::get_if<error>(&made))
    throw std::runtime_error(e->message);
  write_secret(file, std::get<std::string>(made));
  return true;
}

std::size_t token_book::size() const {
  std::shared_lock lock{mutex_};
  return owners_.size();
}

} // namespace rahat
