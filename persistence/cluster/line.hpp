#pragma once

#include "persistence/lease/generation.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace rahat::pg {

/// The connection broke, the answer did not come in time, or the line was cut off. What was sent
/// may have happened.
class line_lost : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The server refused the statement; nothing happened.
class line_refused : public std::runtime_error {
public:
  line_refused(std::string state, const std::string& message)
      : std::runtime_error(message), state_(std::move(state)) {}
  const std::string& sqlstate() const { return state_; }

private:
  std::string state_;
};

/// Rows in binary form.
class line_rows {
public:
  explicit line_rows(pg_result* raw) : raw_(raw, &drop) {}

  int size() const;
  bool null(int row, int column) const;
  /// bool, int2, int4 and int8; 0 for NULL.
  std::int64_t number(int row, int column) const;
  /// The nil id for NULL.
  uuid id(int row, int column) const;
  /// text and bytea; empty for NULL.
  std::string text(int row, int column) const;

private:
  static void drop(pg_result* raw);
  std::string_view raw(int row, int column) const;

  std::shared_ptr<pg_result> raw_;
};

/// One value of a statement.
struct line_value {
  std::string bytes;
  bool binary = false; // bytea; the others go as text

  line_value(std::int64_t v) : bytes(std::to_string(v)) {}
  line_value(const uuid& id) : bytes(id.str()) {}
  line_value(std::string text) : bytes(std::move(text)) {}
  line_value(const char* text) : bytes(text) {}
  static line_value raw(std::string bytes);
};

/// One connection that never blocks for longer than it is told: libpq's asynchronous calls with a
/// deadline, which libpqxx does not offer. A server that is frozen keeps its sockets open, so that
/// neither keepalives nor a time-out of the server end a call to it. Connects when it is used, and
/// again after a loss; the generation is compared each time (R8). One thread, except `cut_off`.
class line {
public:
  using deadline = std::chrono::steady_clock::time_point;

  /// Prepared at each connect; a database without the functions fails there.
  struct statement {
    const char* name;
    const char* sql;
  };

  /// `time` must outlive it.
  line(std::string conninfo, generation expected, std::vector<statement> prepared,
       const clock& time);
  ~line();

  line(const line&) = delete;
  line& operator=(const line&) = delete;

  /// One round trip (more when it has to connect). Throws line_lost and line_refused.
  line_rows run(const char* name, const std::vector<line_value>& values, deadline until);

  /// Any thread: a call that waits fails at once, and so does every later one. For good.
  void cut_off();

private:
  struct wake; // a descriptor that is readable once the line is cut off

  void open(deadline until);
  bool still_open();
  void connect(deadline until);
  void require_generation(deadline until);
  line_rows finish(deadline until);
  void wait(bool for_writing, deadline until);

  const std::string conninfo_;
  const generation expected_;
  const std::vector<statement> prepared_;
  const clock& time_;
  const std::unique_ptr<wake> wake_;
  std::shared_ptr<pg_conn> connection_;
};

} // namespace rahat::pg
