#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

/// Structured logs: one JSON object a line, to standard error or a file.
///
///   log::info("shard_taken", {{"shard", 17}, {"epoch", epoch}, {"took_ms", 12}});
///   {"ts":"2026-11-20T10:11:12.123456Z","level":"info","event":"shard_taken","node":"a",
///    "shard":17,"epoch":4,"took_ms":12}
///
/// The event is a fixed name in snake_case that can be searched and counted; what varies is a
/// field. A field that carries a person's id carries `log::hashed(id)`, never the id, a name or a
/// number.
///
/// Callable from any thread, before `start` and after `stop` as well (then: standard error, info).
/// A line is written before the call returns, so nothing is lost in a crash; a full pipe behind
/// standard error blocks the caller. Never throws: a line that cannot be written is counted
/// (`lines_lost`).
namespace rahat::log {

enum class level { debug, info, warning, error };

/// "debug", "info", "warning", "error"; anything else is info.
level level_from(std::string_view name);

/// The longest line in bytes, its newline not counted. A longer one is shortened at a field or
/// inside its last text and carries "truncated":true.
inline constexpr std::size_t max_line_bytes = 4'000;

struct options {
  level least = level::info;
  std::string file;                       // appended to; "" = standard error
  std::string node;                       // written in every line
  std::string hash_key;                   // for `hashed`; "" = a random one for this process
  std::function<std::int64_t()> clock_ns; // ns since 1970; none = the system's clock
};

/// Sets how lines are written from now on; may be called again, for instance after the file was
/// rotated away. Returns "" or why the file cannot be opened (lines then go where they went
/// before).
std::string start(const options& how);

/// Flushes and goes back to standard error.
void stop();

/// What a field can hold. Texts are referred to, not copied: they need to live for the call only.
class value {
public:
  value(std::nullptr_t) : held_(nullptr) {}
  value(bool flag) : held_(flag) {}
  value(double number) : held_(number) {}
  value(const char* text) : held_(std::string_view(text)) {}
  value(std::string_view text) : held_(text) {}
  value(const std::string& text) : held_(std::string_view(text)) {}
  template <std::signed_integral T>
  value(T number) : held_(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) value(T number) : held_(static_cast<std::uint64_t>(number)) {}

  using variant =
      std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string_view>;
  const variant& held() const { return held_; }

private:
  variant held_;
};

/// Keys are fixed names in snake_case; "ts", "level", "event", "node" and "truncated" are taken, a
/// field of that name gets a "_" behind it.
struct field {
  std::string_view key;
  value held;
};

using fields = std::initializer_list<field>;

void debug(std::string_view event, fields about = {});
void info(std::string_view event, fields about = {});
void warning(std::string_view event, fields about = {});
void error(std::string_view event, fields about = {});

/// True if a line of that level would be written: for those that are costly to make.
bool enabled(level at);

/// A person's id as it may stand in a log: 16 hex digits of HMAC-SHA-256 under the process's key.
/// Equal ids give equal text for as long as the key is the same, and cannot be found by trying.
std::string hashed(std::string_view id);

/// Lines that could not be written since the process began.
std::uint64_t lines_lost();

} // namespace rahat::log
