#include "persistence/cluster/pg_membership.hpp"

#include "persistence/cluster/end_sessions.hpp"
#include "persistence/cluster/reading.hpp"
#include "persistence/embedded/conninfo.hpp"

namespace rahat {

namespace {

using pg::lane;
using pg::line;
using pg::line_rows;
using pg::line_value;

constexpr int level_tries = 5; // against other changes of the view

const std::vector<line::statement> call_statements = {
    {"read", pg::reading_sql},
    {"change", "SELECT cluster_change_v1($1, $2, $3, $4, $5, $6)"},
    {"vote", "SELECT cluster_vote_v1($1, $2, $3, $4, $5 * interval '1 millisecond')"},
    {"withdraw",
     "DELETE FROM cluster_vote WHERE voter = $1 AND voter_incarnation = $2 AND against = $3"
     " AND against_incarnation = $4"},
    {"declare",
     "SELECT cluster_declare_dead_v1($1, $2, $3, $4, $5, $6, $7, $8 * interval '1 millisecond',"
     " $9 * interval '1 microsecond')"},
    {"wish",
     "UPDATE cluster_member SET drain = $2 WHERE node_uuid = $1"
     " AND status IN ('joining', 'up', 'leaving') RETURNING true"},
    {"raise", "SELECT cluster_raise_level_v1($1, version) FROM cluster_view WHERE id = 1"},
};

const std::vector<line::statement> move_statements = {
    {"take",
     "SELECT epoch, head_position, head_hash FROM"
     " shard_take_v2($1, $2, $3, $4, $5 * interval '1 millisecond')"},
    {"release", "SELECT shard_release_v1($1, $2, $3, $4, $5, $6)"},
};

const std::vector<line::statement> ending_statements = {
    {"sessions", pg::sessions_sql},
    {"end_all", pg::end_all_sql},
    {"await_one", pg::await_one_sql},
};

std::string session(const std::string& service, const node_identity& me, std::string_view part,
                    std::chrono::milliseconds statement, std::chrono::milliseconds lock) {
  auto text = with_keepalives(service, static_cast<int>(membership_limits::move.count()));
  auto fields = parse_conninfo(with_field(text, "application_name", me.application_name(part)));
  // Behind what the administrator has put into the url, so that ours win.
  auto& options = fields["options"];
  options += " -c lock_timeout=" + std::to_string(lock.count());
  options += " -c statement_timeout=" + std::to_string(statement.count());
  options += " -c client_min_messages=error -c TimeZone=UTC -c jit=off";
  return conninfo(fields);
}

lane::terms call_terms(const std::string& service, const node_identity& me, const generation& now) {
  using namespace membership_limits;
  return {session(service, me, "membership", call, call), now, call_statements, waiting_calls,
          lane::time_runs::when_asked};
}

lane::terms move_terms(const std::string& service, const node_identity& me, const generation& now) {
  using namespace membership_limits;
  return {session(service, me, "shards", move, lock_timeout), now, move_statements, waiting_moves,
          lane::time_runs::when_begun};
}

lane::terms ending_terms(const std::string& service, const node_identity& me,
                         const generation& now) {
  using namespace membership_limits;
  return {session(service, me, "endings", end_sessions, lock_timeout), now, ending_statements,
          waiting_endings, lane::time_runs::when_begun};
}

/// Functions that answer true, or NULL where nothing was found.
swap done_if_true(const line_rows& rows) {
  return rows.size() > 0 && rows.number(0, 0) != 0 ? swap::done : swap::refused;
}

const char* word_of(cluster::death_reason reason) {
  return reason == cluster::death_reason::voted ? "voted" : "lapsed";
}

} // namespace

pg_membership::pg_membership(const std::string& service_conninfo, node_identity me, generation now,
                             lease_terms terms, std::chrono::microseconds vote_expiry,
                             const clock* time)
    : time_(time == nullptr ? own_time_ : *time),
      me_(std::move(me)),
      generation_(now.raw()),
      ttl_ms_(terms.ttl.count()),
      vote_expiry_us_(vote_expiry.count()),
      calls_(call_terms(service_conninfo, me_, now), time_),
      moves_(move_terms(service_conninfo, me_, now), time_),
      endings_(ending_terms(service_conninfo, me_, now), time_) {
  calls_.start();
  moves_.start();
  endings_.start();
}

pg_membership::~pg_membership() {
  stop();
}

void pg_membership::stop() {
  calls_.stop();
  moves_.stop();
  endings_.stop();
}

std::vector<part> pg_membership::parts() {
  return {calls_.as_part("membership"), moves_.as_part("shard-rows"),
          endings_.as_part("dead-sessions")};
}

void pg_membership::read(callback<cluster_reading> done) {
  calls_.ask<cluster_reading>(
      membership_limits::call, std::move(done), [this](line& on, line::deadline until) {
        return pg::reading_of(on.run("read", {line_value::raw(generation_)}, until), me_.node);
      });
}

void pg_membership::change(cluster::member_status from, cluster::member_status to, std::string why,
                           std::int64_t view_version, callback<swap> done) {
  calls_.ask<swap>(membership_limits::call, std::move(done),
                   [=, this, why = std::move(why)](line& on, line::deadline until) {
                     const auto version = on.run("change",
                                                 {me_.node, me_.incarnation, pg::status_word(from),
                                                  pg::status_word(to), why, view_version},
                                                 until)
                                              .number(0, 0);
                     return version > 0 ? swap::done : version == 0 ? swap::stale : swap::refused;
                   });
}

void pg_membership::vote(const cluster::member_id& against, callback<swap> done) {
  calls_.ask<swap>(
      membership_limits::call, std::move(done), [=, this](line& on, line::deadline until) {
        return done_if_true(
            on.run("vote", {me_.node, me_.incarnation, against.node, against.incarnation, ttl_ms_},
                   until));
      });
}

void pg_membership::withdraw(const cluster::member_id& against, callback<swap> done) {
  calls_.ask<swap>(
      membership_limits::call, std::move(done), [=, this](line& on, line::deadline until) {
        on.run("withdraw", {me_.node, me_.incarnation, against.node, against.incarnation}, until);
        return swap::done; // also if there was none
      });
}

void pg_membership::declare(const cluster::declare_dead& what, callback<swap> done) {
  calls_.ask<swap>(
      membership_limits::call, std::move(done), [=, this](line& on, line::deadline until) {
        const auto said = on.run("declare",
                                 {me_.node, me_.incarnation, what.peer.node, what.peer.incarnation,
                                  word_of(what.reason), what.lease_until_us, what.view_version,
                                  ttl_ms_, vote_expiry_us_},
                                 until)
                              .text(0, 0);
        return said == "dead" ? swap::done : said == "stale" ? swap::stale : swap::refused;
      });
}

void pg_membership::wish(const uuid& node, bool drain, callback<swap> done) {
  calls_.ask<swap>(membership_limits::call, std::move(done), [=](line& on, line::deadline until) {
    return done_if_true(on.run("wish", {node, drain ? "true" : "false"}, until));
  });
}

void pg_membership::raise_level(std::int32_t to, callback<std::string> done) {
  calls_.ask<std::string>(
      membership_limits::call, std::move(done), [=](line& on, line::deadline until) {
        for (int i = 0; i < level_tries; ++i) {
          auto said = on.run("raise", {std::int64_t{to}}, until).text(0, 0);
          if (said != "stale")
            return said == "raised" || said == "already" ? std::string{} : said;
        }
        throw pg::line_refused{"40001", "other changes of the view came first: try again"};
      });
}

void pg_membership::end_sessions(const cluster::member_id& former, callback<int> done) {
  if (former.node == me_.node && former.incarnation >= me_.incarnation)
    return done(
        error{errc::invalid_input, "this start of the node does not end its own sessions", {}});
  endings_.ask<int>(membership_limits::end_sessions, std::move(done),
                    [=, this](line& on, line::deadline until) {
                      return pg::end_sessions(on, former, until, time_);
                    });
}

void pg_membership::take(shard_id shard, callback<std::optional<shard_grant>> done) {
  using granted = std::optional<shard_grant>;
  moves_.ask<granted>(
      membership_limits::move, std::move(done),
      [=, this](line& on, line::deadline until) -> granted {
        const auto rows = on.run(
            "take",
            {std::int64_t{shard}, me_.node, me_.incarnation, line_value::raw(generation_), ttl_ms_},
            until);
        if (rows.size() == 0)
          return std::nullopt;
        return shard_grant{shard, rows.number(0, 0), rows.number(0, 1), rows.text(0, 2)};
      });
}

void pg_membership::release(const shard_grant& as_given_up, callback<swap> done) {
  moves_.ask<swap>(
      membership_limits::move, std::move(done), [=, this](line& on, line::deadline until) {
        return done_if_true(
            on.run("release",
                   {std::int64_t{as_given_up.shard}, me_.node, me_.incarnation,
                    line_value::raw(generation_), as_given_up.epoch, as_given_up.head_position},
                   until));
      });
}

} // namespace rahat
