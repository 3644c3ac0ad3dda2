#include "persistence/postgres/session.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/lease/doctor.hpp"

#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

std::string setting(const char* name, std::chrono::milliseconds v) {
  return std::string{" -c "} + name + "=" + std::to_string(v.count());
}

void require_durable(pqxx::connection_base& c, bool refuse_unsafe) {
  if (refuse_unsafe)
    if (const auto why = why_not_durable(c); !why.empty())
      throw unsafe_server{why};
  pqxx::nontransaction work{c};
  const auto is = work.exec1("SHOW synchronous_commit")[0].as<std::string>();
  if (is != "on" && is != "remote_apply")
    throw unsafe_server{"synchronous_commit is `" + is + "` for the user `" + c.username() +
                        "`: a crash would lose acknowledged money. Set it to `on` for the server,"
                        " this database and this role"};
}

} // namespace

std::string session_conninfo(const store_options& how, std::string_view part) {
  auto text = with_keepalives(how.conninfo, static_cast<int>(how.tcp_timeout.count()));
  text = with_field(text, "application_name", how.me.application_name(part));
  auto fields = parse_conninfo(text);
  // Behind what the administrator has put into the url, so that ours win.
  auto options = fields["options"];
  options += setting("lock_timeout", how.lock_timeout);
  options += setting("idle_in_transaction_session_timeout", how.idle_in_transaction_timeout);
  // Plans are kept for the session's life: one that was made while a table was small must not scan
  // it when it is large.
  options += " -c enable_seqscan=off";
  options += " -c client_min_messages=error -c bytea_output=hex -c jit=off -c TimeZone=UTC";
  return with_field(text, "options", options);
}

std::shared_ptr<pqxx::connection_base> open_session(const store_options& how,
                                                    std::string_view part) {
  auto c = std::make_shared<pqxx::connection>(session_conninfo(how, part));
  const auto found = read_generation(*c);
  if (found != how.now)
    throw other_generation{"the database is generation " + found.str() +
                           ", this node holds shards of " + how.now.str() +
                           ": it was promoted or restored"};
  require_durable(*c, how.refuse_unsafe);
  return c;
}

} // namespace rahat::pg
