#include "persistence/postgres/failure.hpp"

#include <algorithm>
#include <charconv>
#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

constexpr std::string_view fenced_state = "RH001"; // raised by commit_batch_v1
constexpr std::string_view fenced_words = "fenced shards: ";

/// Classes and states that speak of the server's condition and never of a row.
constexpr std::string_view server_conditions[] = {
    "25", // read-only: the server has become a standby
    "28", // authorisation
    "40", // serialisation, deadlock
    "42", // a missing right or function: the schema is not this binary's
    "53", // disk or memory full, too many connections
    "55", // lock not available
    "57", // cancelled
    "58", // I/O error
    "F0", // configuration file
};

/// Postgres' sentence and detail on one line, without the listing of our own functions.
std::string one_line(std::string text) {
  text.erase(std::min(text.find("\nCONTEXT:"), text.size()));
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

template <class T>
bool is(const std::exception& e) {
  return dynamic_cast<const T*>(&e) != nullptr;
}

/// Where libpqxx 6.4.5 keeps the SQLSTATE to itself, its type tells as much.
std::string state_of(const std::exception& e) {
  if (const auto* sql = dynamic_cast<const pqxx::sql_error*>(&e))
    if (!sql->sqlstate().empty())
      return sql->sqlstate();
  if (is<pqxx::deadlock_detected>(e))
    return "40P01";
  if (is<pqxx::serialization_failure>(e))
    return "40001";
  if (is<pqxx::transaction_rollback>(e))
    return "40000";
  if (is<pqxx::disk_full>(e))
    return "53100";
  if (is<pqxx::out_of_memory>(e))
    return "53200";
  if (is<pqxx::insufficient_resources>(e))
    return "53000";
  if (is<pqxx::insufficient_privilege>(e))
    return "42501";
  if (is<pqxx::syntax_error>(e))
    return "42000"; // a table, a column or a function is missing
  return {};
}

bool ends_connection(std::string_view state) {
  return state.substr(0, 2) == "08" || state.substr(0, 4) == "57P0";
}

} // namespace

failure_class class_of(std::string_view state) {
  if (state == fenced_state)
    return failure_class::fenced;
  if (ends_connection(state))
    return failure_class::in_doubt;
  for (auto prefix : server_conditions)
    if (state.substr(0, prefix.size()) == prefix)
      return failure_class::again;
  return failure_class::guilty;
}

std::vector<shard_id> fenced_shards(std::string_view message) {
  std::vector<shard_id> out;
  const auto at = message.find(fenced_words);
  if (at == message.npos)
    return out;
  const char* p = message.data() + at + fenced_words.size();
  const char* const end = message.data() + message.size();
  shard_id shard = 0;
  for (;;) {
    const auto [next, bad] = std::from_chars(p, end, shard);
    if (bad != std::errc{})
      return out;
    out.push_back(shard);
    if (next == end || *next != ',')
      return out;
    p = next + 1;
  }
}

failure failure_of(const std::exception& e, bool connection_open) {
  failure f;
  f.message = one_line(e.what());
  f.state = state_of(e);
  if (dynamic_cast<const pqxx::broken_connection*>(&e) != nullptr ||
      dynamic_cast<const pqxx::statement_completion_unknown*>(&e) != nullptr || !connection_open)
    f.what = failure_class::in_doubt;
  else
    f.what = class_of(f.state);
  if (f.what == failure_class::fenced)
    f.shards = fenced_shards(f.message);
  return f;
}

} // namespace rahat::pg
