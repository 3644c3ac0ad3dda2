#include "persistence/audit/session.hpp"

namespace rahat::audit {

std::unique_ptr<pqxx::connection> open_session(const std::string& conninfo) {
  auto c = std::make_unique<pqxx::connection>(conninfo);
  // The node's own sessions are ended when they idle in a transaction, because they hold rows that
  // a taker needs. This one holds none; it computes and waits between its pages.
  pqxx::nontransaction work{*c};
  work.exec0("SET idle_in_transaction_session_timeout = '120s'");
  work.exec0("SET lock_timeout = '10s'");
  work.exec0("SET bytea_output = hex");
  work.exec0("SET jit = off");
  work.exec0("SET TimeZone = UTC");
  return c;
}

} // namespace rahat::audit
