#include "persistence/cluster/reading.hpp"

namespace rahat::pg {

// Columns: part, two ids with their incarnations, four numbers, two texts, a flag, four texts that
// are for people.
const char* const reading_sql =
    "SELECT 0::int2, NULL::uuid, NULL::int8, NULL::uuid, NULL::int8,"
    "  (extract(epoch FROM clock_timestamp()) * 1000000)::int8, version, feature_level::int8,"
    "  NULL::int8, NULL::text, NULL::text, false, NULL::text, NULL::text, NULL::text, NULL::text"
    "  FROM cluster_view WHERE id = 1"
    " UNION ALL SELECT 1, node_uuid, incarnation, NULL, NULL,"
    "  (extract(epoch FROM lease_until) * 1000000)::int8, port, build_level, feature_level,"
    "  status, address, drain, name, operators, build, why FROM cluster_member"
    " UNION ALL SELECT 2, voter, voter_incarnation, against, against_incarnation,"
    "  (extract(epoch FROM written_at) * 1000000)::int8, NULL, NULL, NULL, NULL, NULL, false,"
    "  NULL, NULL, NULL, NULL FROM cluster_vote"
    " UNION ALL SELECT 3, owner, incarnation, NULL, NULL, shard, epoch, NULL, NULL, NULL, NULL,"
    "  generation = $1, NULL, NULL, NULL, NULL FROM shard";

namespace {

using cluster::member_status;

constexpr const char* damaged = "XX001";

enum column {
  part,
  a,
  a_incarnation,
  b,
  b_incarnation,
  n1,
  n2,
  n3,
  n4,
  text1,
  text2,
  flag,
  name,
  operators,
  build,
  why
};

struct word {
  member_status status;
  std::string_view text;
};
constexpr word words[] = {{member_status::joining, "joining"},
                          {member_status::active, "up"},
                          {member_status::leaving, "leaving"},
                          {member_status::left, "left"},
                          {member_status::dead, "dead"}};

member_status status_of(std::string_view text) {
  for (const auto& w : words)
    if (w.text == text)
      return w.status;
  throw line_refused{damaged, "cluster_member holds the status " + std::string{text} +
                                  ", which this build does not know"};
}

cluster::member member_of(const line_rows& rows, int i) {
  cluster::member m;
  m.node_uuid = rows.id(i, a);
  m.incarnation = rows.number(i, a_incarnation);
  m.address = rows.text(i, text2);
  m.port = static_cast<std::uint16_t>(rows.number(i, n2));
  m.status = status_of(rows.text(i, text1));
  m.lease_until_us = rows.number(i, n1);
  m.build_level = static_cast<std::int32_t>(rows.number(i, n3));
  m.feature_level = static_cast<std::int32_t>(rows.number(i, n4));
  m.name = rows.text(i, name);
  m.operators = rows.text(i, operators);
  m.build = rows.text(i, build);
  m.why = rows.text(i, why);
  return m;
}

void add_shard(cluster_reading& into, const line_rows& rows, int i) {
  const auto shard = rows.number(i, n1);
  if (shard < 0 || shard >= shard_count)
    throw line_refused{damaged, "the table shard holds a row " + std::to_string(shard)};
  auto& place = into.shards[static_cast<std::size_t>(shard)];
  if (!rows.null(i, a))
    place.owner = {rows.id(i, a), rows.number(i, a_incarnation)};
  place.epoch = rows.number(i, n2);
  place.this_generation = rows.number(i, flag) != 0;
}

} // namespace

const char* status_word(member_status status) {
  for (const auto& w : words)
    if (w.status == status)
      return w.text.data();
  return "";
}

cluster_reading reading_of(const line_rows& rows, const uuid& self) {
  cluster_reading out;
  int views = 0, shards = 0;
  for (int i = 0; i < rows.size(); ++i) {
    switch (rows.number(i, part)) {
      case 0:
        ++views;
        out.database_now_us = rows.number(i, n1);
        out.now.version = rows.number(i, n2);
        out.now.feature_level = static_cast<std::int32_t>(rows.number(i, n3));
        break;
      case 1:
        out.now.members.push_back(member_of(rows, i));
        if (rows.id(i, a) == self)
          out.drain = rows.number(i, flag) != 0;
        break;
      case 2:
        out.votes.push_back({{rows.id(i, a), rows.number(i, a_incarnation)},
                             {rows.id(i, b), rows.number(i, b_incarnation)},
                             rows.number(i, n1)});
        break;
      default: ++shards; add_shard(out, rows, i);
    }
  }
  if (views != 1 || shards != shard_count)
    throw line_refused{damaged, "the tables of the cluster hold " + std::to_string(views) +
                                    " views and " + std::to_string(shards) +
                                    " shards: restore the database from a backup"};
  return out;
}

} // namespace rahat::pg
