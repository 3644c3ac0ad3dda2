#pragma once

#include "persistence/cluster/line.hpp"
#include "runtime/ports/membership_store.hpp"

namespace rahat::pg {

/// $1: the beginning of the name, $2: the last incarnation.
extern const char* const sessions_sql;
/// Asks them all to end, without waiting. The same parameters.
extern const char* const end_all_sql;
/// Waits for one of them, $3 milliseconds at most. The same parameters.
extern const char* const await_one_sql;

/// Ends the database sessions of a node up to an incarnation and waits until they are gone: a
/// backend that sits in a commit, or whose client sleeps, must not land or lock anything after this
/// (R5). The statements above are prepared on the line as "sessions", "end_all" and "await_one".
/// Answers how many there were. Throws line_refused (57014) that names the session which stays.
int end_sessions(line& on, const cluster::member_id& upto, line::deadline until, const clock& time);

} // namespace rahat::pg
