#include "persistence/tokens/token_book.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "runtime/telemetry/log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
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

constexpr std::size_t id_bytes = 8;

/// Its first 8 bytes (id_bytes): `id` in what follows.
constexpr const char* rows_sql =
    "SELECT id, user_name, role, created_us, revoked_us FROM"
    " (SELECT *, encode(substring(hash FROM 1 FOR 8), 'hex') AS id FROM token) t";

const std::string list_sql = std::string{rows_sql} +
                             " WHERE (created_us, id) < ($1, $2)"
                             " ORDER BY created_us DESC, id DESC LIMIT $3";

const std::string entry_sql = std::string{rows_sql} + " WHERE id = $1";

constexpr const char* revoke_sql =
    "UPDATE token SET revoked_us = $2"
    " WHERE encode(substring(hash FROM 1 FOR 8), 'hex') = $1 AND revoked_us IS NULL";

token_entry entry_of(const pqxx::row& row) {
  token_entry out{row[0].as<std::string>(),
                  {row[1].as<std::string>(), row[2].as<std::string>()},
                  row[3].as<std::int64_t>(),
                  std::nullopt};
  if (!row[4].is_null())
    out.revoked_us = row[4].as<std::int64_t>();
  return out;
}

constexpr const char* insert_sql =
    "INSERT INTO token (hash, user_name, role, created_us)"
    " VALUES (decode($1, 'hex'), $2, $3, $4) ON CONFLICT (hash) DO NOTHING";

constexpr const char* owner_sql =
    "SELECT user_name, role, revoked_us FROM token WHERE hash = decode($1, 'hex')";

/// Where a page of the list begins: before this row, in order of time and id.
struct place {
  std::int64_t created_us = std::numeric_limits<std::int64_t>::max();
  std::string id;
};

/// "" is the beginning; nothing for what no page gave.
std::optional<place> place_of(const std::string& cursor) {
  place out;
  if (cursor.empty())
    return out;
  auto* end = cursor.data() + cursor.size();
  auto [rest, failed] = std::from_chars(cursor.data(), end, out.created_us);
  if (failed != std::errc{} || rest == end || *rest != '.')
    return std::nullopt;
  out.id.assign(rest + 1, end);
  const bool is_id = out.id.size() == 2 * id_bytes &&
                     out.id.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_id ? std::optional(std::move(out)) : std::nullopt;
}

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

/// A server that has gone silent must not hold up the end of the node, nor whoever waits in line.
std::string token_book::bounded_conninfo() const {
  auto text = with_keepalives(conninfo_, silent_ms);
  auto options = parse_conninfo(text)["options"] +
                 " -c statement_timeout=" + std::to_string(silent_ms) + " -c TimeZone=UTC";
  return with_field(text, "options", options);
}

pqxx::connection_base& token_book::reading_connection() {
  if (!reading_)
    reading_ = std::make_shared<pqxx::connection>(bounded_conninfo());
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
  digest secret;
  dice_.fill(secret.data(), secret.size());
  return create_once(user, role, secret);
}

std::variant<std::string, error> token_book::create_once(const std::string& user,
                                                         const std::string& role,
                                                         const digest& secret) {
  if (!is_user_name(user))
    return error{errc::invalid_input, "a user name has 1 to 64 letters, digits and . - _ @ only",
                 "user"};
  if (std::find(roles.begin(), roles.end(), role) == roles.end())
    return error{errc::invalid_input, "the role must be admin, maker, checker, operator or reader",
                 "role"};
  return store({user, role}, secret);
}

std::variant<std::string, error> token_book::store(const token_owner& owner, const digest& secret) {
  auto token = std::string{prefix} + hex(view(secret));
  auto hash = sha256(token);
  const auto hex_hash = hex(view(hash));
  std::lock_guard changing{changing_};
  try {
    pqxx::connection connection{bounded_conninfo()};
    pqxx::work work{connection};
    if (size() < max_tokens)
      work.exec_params(insert_sql, hex_hash, owner.user, owner.role, time_.now_us());
    auto rows = work.exec_params(owner_sql, hex_hash);
    work.commit();
    if (rows.empty())
      return error{errc::limit_exceeded,
                   "there are " + std::to_string(max_tokens) + " tokens: revoke some first",
                   {}};
    if (rows[0][0].as<std::string>() != owner.user || rows[0][1].as<std::string>() != owner.role)
      return error{errc::idempotency_key_reused,
                   "this Idempotency-Key was used for another user or role: use a new one",
                   "Idempotency-Key"};
    if (!rows[0][2].is_null())
      return error{errc::wrong_status,
                   "the token that this Idempotency-Key made was revoked: use a new one",
                   "Idempotency-Key"};
  } catch (const pqxx::failure& e) {
    return error{errc::unavailable, std::string{"the token could not be stored: "} + e.what(), {}};
  }
  std::unique_lock lock{mutex_};
  owners_[hash] = owner;
  return token;
}

std::string token_book::id_of(std::string_view token) {
  return hex(view(sha256(token)).substr(0, id_bytes));
}

std::variant<token_list, error> token_book::list(std::uint32_t limit, const std::string& cursor) {
  auto from = place_of(cursor);
  if (!from)
    return error{errc::invalid_input, "use a cursor that a former page gave as \"next\"", "cursor"};
  try {
    pqxx::connection connection{bounded_conninfo()};
    pqxx::nontransaction work{connection};
    token_list out;
    for (const auto& row : work.exec_params(list_sql, from->created_us, from->id, limit))
      out.rows.push_back(entry_of(row));
    if (out.rows.size() == limit)
      out.next = std::to_string(out.rows.back().created_us) + '.' + out.rows.back().id;
    return out;
  } catch (const pqxx::failure& e) {
    return error{errc::unavailable, std::string{"the tokens could not be read: "} + e.what(), {}};
  }
}

std::variant<token_entry, error> token_book::revoke(const std::string& id) {
  std::lock_guard changing{changing_};
  try {
    pqxx::connection connection{bounded_conninfo()};
    pqxx::work work{connection};
    work.exec_params(revoke_sql, id, time_.now_us());
    auto rows = work.exec_params(entry_sql, id);
    work.commit();
    if (rows.empty())
      return error{errc::not_found, "there is no token with this id", "id"};
    std::unique_lock lock{mutex_};
    std::erase_if(owners_,
                  [&](auto& known) { return hex(view(known.first).substr(0, id_bytes)) == id; });
    return entry_of(rows[0]);
  } catch (const pqxx::failure& e) {
    return error{errc::unavailable, std::string{"the token could not be revoked: "} + e.what(), {}};
  }
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
