#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/part.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pqxx {
class connection_base;
}

namespace rahat {

struct token_owner {
  std::string user;
  std::string role; // admin | maker | checker | operator | reader
};

/// A token as administrators see it; its text is not kept anywhere.
struct token_entry {
  std::string id; // see token_book::id_of
  token_owner owner;
  std::int64_t created_us = 0;
  std::optional<std::int64_t> revoked_us;
};

/// One page of all tokens ever made, newest first. `next` is empty on the last one.
struct token_list {
  std::vector<token_entry> rows;
  std::string next;
};

/// The access tokens of the installation. Postgres holds only their SHA-256; this book answers from
/// memory, and a thread of its own keeps that like the table: what another node makes or revokes
/// holds here within `refresh_every` and a reading. While the database is away the book stays as it
/// was. Thread-safe; all that changes or lists blocks on the database, for seconds at most, so it
/// belongs on a thread that may wait.
class token_book {
public:
  /// Names longer than this are refused.
  static constexpr std::size_t max_user_bytes = 64;
  static constexpr std::size_t max_tokens = 100'000;
  static constexpr std::chrono::milliseconds refresh_every{1'000};

  /// Reads all valid tokens. Throws pqxx's errors.
  token_book(std::string service_conninfo, const clock& time, random& dice);
  ~token_book(); // stops

  /// The thread that refreshes, for its owner, who starts it.
  part as_part();

  /// Ends that thread; waits for a reading that is under way, which takes seconds at most.
  void stop();

  /// Reads the table again if it is not as it was; whether it did. Throws pqxx's errors.
  bool refresh();

  /// Whose token it is. Lock-shared, no I/O; called for each request.
  std::optional<token_owner> owner_of(std::string_view token) const;

  /// Makes a token for a user, durable before it is returned; the only moment it can be seen.
  std::variant<std::string, error> create(const std::string& user, const std::string& role);

  /// As `create`, but the token derives from `secret`, which nobody may be able to guess: whoever
  /// asks again with it gets the same token. A secret that was used for another user or role is
  /// refused as idempotency_key_reused, one whose token was revoked as wrong_status.
  std::variant<std::string, error> create_once(const std::string& user, const std::string& role,
                                               const digest& secret);

  /// The name by which a token is listed and revoked: 16 hex digits of its hash, which give nothing
  /// away.
  static std::string id_of(std::string_view token);

  /// At most `limit` tokens, revoked ones too; `cursor` is a former page's `next`, or "".
  std::variant<token_list, error> list(std::uint32_t limit, const std::string& cursor);

  /// From now on (elsewhere: see above) nobody is let in with it. Revoking again changes nothing.
  std::variant<token_entry, error> revoke(const std::string& id);

  /// Makes sure that `<file>` holds a valid admin token, mode 0600; returns whether it was made
  /// now.
  bool ensure_admin_file(const std::string& file);

  std::size_t size() const;

private:
  using owners = std::map<digest, token_owner>;

  void run();
  std::string bounded_conninfo() const;
  pqxx::connection_base& reading_connection();
  std::variant<std::string, error> store(const token_owner& owner, const digest& secret);

  const std::string conninfo_;
  const clock& time_;
  random& dice_;
  mutable std::shared_mutex mutex_; // guards the next one
  owners owners_;

  std::mutex changing_; // guards the next two; a token that was just made is not read away
  std::string state_;   // of the table, when it was read
  std::shared_ptr<pqxx::connection_base> reading_;

  std::mutex ending_mutex_; // guards the next one
  bool ending_ = false;
  std::condition_variable wake_;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat
