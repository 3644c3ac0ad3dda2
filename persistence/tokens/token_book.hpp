#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <variant>

namespace rahat {

struct token_owner {
  std::string user;
  std::string role; // admin | maker | checker | operator | reader
};

/// The access tokens of the installation. Postgres holds only their SHA-256; this book answers from
/// memory. Thread-safe; `create` blocks on the database, so it belongs on a thread that may wait.
class token_book {
public:
  /// Names longer than this are refused.
  static constexpr std::size_t max_user_bytes = 64;
  static constexpr std::size_t max_tokens = 100'000;

  /// Reads all valid tokens. Throws pqxx's errors.
  token_book(std::string service_conninfo, const clock& time, random& dice);

  /// Whose token it is. Lock-shared, no I/O; called for each request.
  std::optional<token_owner> owner_of(std::string_view token) const;

  /// Makes a token for a user, durable before it is returned; the only moment it can be seen.
  std::variant<std::string, error> create(const std::string& user, const std::string& role);

  /// Makes sure that `<file>` holds a valid admin token, mode 0600; returns whether it was made
  /// now.
  bool ensure_admin_file(const std::string& file);

  std::size_t size() const;

private:
  const std::string conninfo_;
  const clock& time_;
  random& dice_;
  mutable std::shared_mutex mutex_;
  std::map<digest, token_owner> owners_;
};

} // namespace rahat
