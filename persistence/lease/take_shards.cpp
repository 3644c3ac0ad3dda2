#include "persistence/lease/take_shards.hpp"

#include "persistence/embedded/conninfo.hpp"

#include <poll.h>
#include <map>
#include <pqxx/pqxx>
#include <set>

namespace rahat {

namespace {

constexpr int terminate_wait_ms = 5'000;
constexpr int terminate_rounds = 2; // together 10 s
constexpr int look_every_ms = 200;
constexpr boot_time longest_gap = std::chrono::milliseconds{1'500};
constexpr int declare_tries = 5; // against other changes of the view

/// Sessions of a node up to an incarnation; a larger one means that we are the past.
constexpr const char* sessions_sql =
    "SELECT pid FROM pg_stat_activity WHERE starts_with(application_name, $1)"
    " AND CASE WHEN split_part(application_name, '/', 3) ~ '^[0-9]{1,18}$'"
    "   THEN split_part(application_name, '/', 3)::bigint <= $2 ELSE false END";

/// Members other than this one that are in the way: lapsed, and nobody has said that they are dead.
constexpr const char* lapsed_sql =
    "SELECT node_uuid, incarnation, (extract(epoch FROM lease_until) * 1000000)::bigint"
    " FROM cluster_member m WHERE node_uuid <> $1 AND status IN ('joining', 'up', 'leaving')"
    " AND NOT lease_runs(lease_until, $2 * interval '1 millisecond')"
    " AND EXISTS (SELECT FROM shard s WHERE s.owner = m.node_uuid AND s.incarnation ="
    " m.incarnation)";

constexpr const char* declare_sql =
    "SELECT cluster_declare_dead_v1($1, $2, $3, $4, 'lapsed', $5, version,"
    " $6 * interval '1 millisecond', interval '0') FROM cluster_view WHERE id = 1";

/// A member that has lapsed, with the lease that it was seen with.
struct lapsed_member {
  std::string node;
  std::int64_t incarnation = 0;
  std::int64_t lease_us = 0;
  auto operator<=>(const lapsed_member&) const = default;
};
using lapsed_set = std::set<lapsed_member>;

std::string own_connection(const std::string& conninfo, const node_identity& me) {
  return with_field(with_keepalives(conninfo, terminate_wait_ms), "application_name",
                    me.application_name("take"));
}

int end_sessions(pqxx::transaction_base& work, const std::string& node, std::int64_t upto) {
  int ended = 0;
  const auto prefix = "rahat/" + node + "/";
  for (int round = 0;; ++round) {
    const auto left = work.exec_params(sessions_sql, prefix, upto);
    if (left.empty())
      return ended;
    if (round == terminate_rounds)
      throw lease_error{"the session " + std::string{left[0][0].c_str()} +
                        " of a former start of node " + node +
                        " does not end: end it with pg_terminate_backend, or restart Postgres"};
    for (const auto& row : left)
      ended += work.exec_params1("SELECT pg_terminate_backend($1, $2)", row[0].as<int>(),
                                 terminate_wait_ms)[0]
                   .as<bool>();
  }
}

void require_latest(pqxx::transaction_base& work, const node_identity& me) {
  const auto row = work.exec_params(
      "SELECT incarnation, status FROM cluster_member"
      " WHERE node_uuid = $1",
      me.node.str());
  if (row.empty() || row[0][0].as<std::int64_t>() != me.incarnation ||
      row[0][1].as<std::string>() != "up")
    throw lease_error{"this start of node " + me.node.str() +
                      " was declared dead or superseded: "
                      "it may take no shard; start rahatd again"};
}

void require_all_shards(pqxx::transaction_base& work) {
  const auto shards = work.exec1("SELECT count(*) FROM shard")[0].as<std::size_t>();
  if (shards != shard_count)
    throw lease_error{"the table shard holds " + std::to_string(shards) + " rows instead of " +
                      std::to_string(shard_count) + ": restore the database from a backup"};
}

/// One start's takes.
class taking_round {
public:
  taking_round(pqxx::connection& c, const node_identity& me, const generation& now,
               const lease_terms& terms)
      : work_(c), me_(me), generation_(now.raw()), ttl_ms_(terms.ttl.count()) {
    work_.exec0("SET client_min_messages = error"); // a session that is gone already is no news
    work_.exec0("SET lock_timeout = " + std::to_string(ttl_ms_));
    c.prepare("take",
              "SELECT epoch, head_position, head_hash FROM"
              " shard_take_v1($1, $2, $3, $4, $5 * interval '1 millisecond')");
  }

  std::vector<taken_shard> run() {
    end_sessions(work_, me_.node.str(), me_.incarnation - 1);
    require_all_shards(work_);
    require_latest(work_, me_);
    take_free();
    if (taken_.size() < shard_count && bury_the_lapsed())
      take_free();
    require_latest(work_, me_);
    std::vector<taken_shard> out;
    for (auto& [shard, what] : taken_)
      out.push_back(std::move(what));
    return out;
  }

private:
  void take_free() {
    const pqxx::binarystring raw{generation_.data(), generation_.size()};
    for (shard_id shard = 0; shard < shard_count; ++shard) {
      if (taken_.contains(shard))
        continue;
      const auto got = work_.exec_prepared("take", static_cast<int>(shard), me_.node.str(),
                                           me_.incarnation, raw, ttl_ms_);
      if (got.empty())
        continue;
      taken_[shard] = {shard, got[0][0].as<std::int64_t>(), got[0][1].as<std::int64_t>(),
                       pqxx::binarystring{got[0][2]}.str()};
    }
  }

  lapsed_set lapsed() {
    lapsed_set out;
    for (const auto& row : work_.exec_params(lapsed_sql, me_.node.str(), ttl_ms_))
      out.insert({row[0].as<std::string>(), row[1].as<std::int64_t>(), row[2].as<std::int64_t>()});
    return out;
  }

  /// Those that have not moved while the database answered without a gap for `judge_after`.
  lapsed_set watch() {
    auto still = lapsed();
    auto begin = read_boot_clock();
    for (auto last = begin; !still.empty() && last - begin < judge_after;) {
      poll(nullptr, 0, look_every_ms);
      const auto again = lapsed();
      const auto now = read_boot_clock();
      if (now - last > longest_gap) { // the database was away, or this machine slept: anew
        still = again;
        begin = now;
      }
      std::erase_if(still, [&](const lapsed_member& m) { return !again.contains(m); });
      last = now;
    }
    return still;
  }

  bool declared_dead(const lapsed_member& m) {
    for (int i = 0; i < declare_tries; ++i) {
      const auto said = work_
                            .exec_params1(declare_sql, me_.node.str(), me_.incarnation, m.node,
                                          m.incarnation, m.lease_us, ttl_ms_)[0]
                            .as<std::string>();
      if (said != "stale")
        return said == "dead";
    }
    return false;
  }

  /// True if some shards may be free now.
  bool bury_the_lapsed() {
    bool any = false;
    for (const auto& m : watch()) {
      if (!declared_dead(m))
        continue;
      end_sessions(work_, m.node, m.incarnation);
      any = true;
    }
    return any;
  }

  pqxx::nontransaction work_;
  const node_identity& me_;
  const std::string generation_;
  const std::int64_t ttl_ms_;
  std::map<shard_id, taken_shard> taken_;
};

} // namespace

int end_former_sessions(const std::string& service_conninfo, const node_identity& me) {
  pqxx::connection connection{own_connection(service_conninfo, me)};
  pqxx::nontransaction work{connection};
  work.exec0("SET client_min_messages = error");
  return end_sessions(work, me.node.str(), me.incarnation - 1);
}

std::vector<taken_shard> take_shards(const std::string& service_conninfo, const node_identity& me,
                                     const generation& now, const lease_terms& terms) {
  pqxx::connection connection{own_connection(service_conninfo, me)};
  return taking_round{connection, me, now, terms}.run();
}

} // namespace rahat
