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

/// Conditions of the server whose SQLSTATE libpqxx 6.4.5 keeps to itself: only the type tells.
bool is_condition_without_state(const std::exception& e) {
  return dynamic_cast<const pqxx::transaction_rollback*>(&e) != nullptr // class 40
         || dynamic_cast<const pqxx::insufficient_resources*>(&e) != nullptr ||
         dynamic_cast<const pqxx::insufficient_privilege*>(&e) != nullptr ||
         dynamic_cast<const pqxx::syntax_error*>(&e) != nullptr; // a table is missing
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
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&e);
  if (dynamic_cast<const pqxx::broken_connection*>(&e) != nullptr ||
      dynamic_cast<const pqxx::statement_completion_unknown*>(&e) != nullptr || !connection_open)
    f.what = failure_class::in_doubt;
  else if (is_condition_without_state(e))
    f.what = failure_class::again;
  else if (sql == nullptr)
    f.what = failure_class::guilty;
  else
    f.what = class_of(sql->sqlstate());
  if (f.what == failure_class::fenced)
    f.shards = fenced_shards(f.message);
  return f;
}

} // namespace rahat::pg
