#include "persistence/cluster/end_sessions.hpp"

#include <algorithm>

namespace rahat::pg {

namespace {

/// Of a session that has to end: "rahat/<node>/<incarnation>/<part>".
#define RAHAT_FORMER_SESSIONS                                             \
  " FROM pg_stat_activity WHERE starts_with(application_name, $1)"        \
  " AND CASE WHEN split_part(application_name, '/', 3) ~ '^[0-9]{1,18}$'" \
  "   THEN split_part(application_name, '/', 3)::bigint <= $2::bigint ELSE false END"

constexpr std::int64_t wait_ms = 5'000;
/// The last round has to be answered before the call's own time is over.
constexpr std::chrono::milliseconds reserve{1'500};

} // namespace

const char* const sessions_sql = "SELECT pid" RAHAT_FORMER_SESSIONS;
const char* const end_all_sql = "SELECT pg_terminate_backend(pid)" RAHAT_FORMER_SESSIONS;
const char* const await_one_sql =
    "SELECT pg_terminate_backend(pid, $3)" RAHAT_FORMER_SESSIONS " LIMIT 1";

int end_sessions(line& on, const cluster::member_id& upto, line::deadline until,
                 const clock& time) {
  const std::string prefix = "rahat/" + upto.node.str() + "/";
  const auto first = on.run("end_all", {prefix, upto.incarnation}, until);
  for (;;) {
    const auto left = on.run("sessions", {prefix, upto.incarnation}, until);
    if (left.size() == 0)
      return first.size();
    const auto time_left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - reserve - time.steady());
    if (time_left.count() <= 0)
      throw line_refused{"57014", "the session " + std::to_string(left.number(0, 0)) + " of node " +
                                      upto.str() +
                                      " does not end: end it with pg_terminate_backend, or "
                                      "restart Postgres"};
    on.run("await_one", {prefix, upto.incarnation, std::min(wait_ms, time_left.count())}, until);
  }
}

} // namespace rahat::pg
