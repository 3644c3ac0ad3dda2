#include "persistence/audit/heads_check.hpp"

#include "persistence/audit/array_literal.hpp"
#include "persistence/postgres/decode.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <algorithm>

namespace rahat::audit {

namespace {

/// The first signed head whose row is not there with that hash, in the order of the file.
constexpr const char* lost_sql = R"(
SELECT h.n - 1
FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) WITH ORDINALITY
       h(shard, position, hash, n)
  LEFT JOIN journal j ON j.shard = h.shard AND j.position = h.position
WHERE j.hash IS DISTINCT FROM h.hash ORDER BY h.n LIMIT 1)";

std::string line_name(std::uint64_t number) {
  return "line " + std::to_string(number) + " of heads.log";
}

audit_finding file_finding(const std::optional<heads_line>& line, std::string what) {
  audit_finding out;
  if (line && !line->heads.empty()) {
    out.shard = line->heads.front().shard;
    out.position = line->heads.front().position;
  }
  out.what = std::move(what);
  return out;
}

} // namespace

heads_check::heads_check(const audit_options& how)
    : how_(how),
      reader_(how.folder / "heads.log"),
      keys_(public_keys::load(how.folder / "heads.pub")) {}

std::optional<audit_finding> heads_check::run(pqxx::transaction_base& work) {
  std::string text;
  while (reader_.next(text)) {
    if (auto found = take(text))
      return found;
    if (waiting_.size() < audit_limits::heads_at_once)
      continue;
    if (auto found = compare(work))
      return found;
  }
  if (torn_)
    return file_finding({}, line_name(*torn_) + " cannot be read: it was altered");
  return compare(work);
}

std::optional<audit_finding> heads_check::take(const std::string& text) {
  const auto line = parse_heads_line(text);
  const auto hash = sha256(text);
  if (!line) {
    // A crash can tear a line; the signed line behind it then names the torn one's hash.
    if (torn_)
      return file_finding({}, line_name(*torn_) + " cannot be read: it was altered");
    torn_ = reader_.number();
    before_ = hash;
    return {};
  }
  if (!keys_.knows(line->key))
    return file_finding(line, line_name(reader_.number()) + " is signed with the key " + line->key +
                                  ", which heads.pub does not hold");
  if (!keys_.verify(line->key, line->covered, line->signature))
    return file_finding(line,
                        line_name(reader_.number()) + " was altered: its signature is not valid");
  if (line->previous != before_)
    return file_finding(line, "heads.log was altered before " + line_name(reader_.number()) +
                                  ": a line was removed or changed");
  torn_.reset();
  before_ = hash;
  newest_us_ = std::max(newest_us_, line->at_us);
  heads_ += line->heads.size();
  waiting_.insert(waiting_.end(), line->heads.begin(), line->heads.end());
  return {};
}

std::optional<audit_finding> heads_check::compare(pqxx::transaction_base& work) {
  if (waiting_.empty())
    return {};
  array_literal shards, positions, hashes;
  for (auto& h : waiting_) {
    shards.number(h.shard);
    positions.number(static_cast<std::int64_t>(h.position));
    hashes.bytes(view(h.hash));
  }
  const auto rows = work.exec_params(lost_sql, shards.str(), positions.str(), hashes.str());
  const auto lost = rows.empty() ? waiting_.size() : rows[0][0].as<std::size_t>();
  for (std::size_t i = 0; i < lost; ++i)
    proven_[waiting_[i].shard] = std::max(proven_[waiting_[i].shard], waiting_[i].position);
  if (lost < waiting_.size())
    return explain(work, waiting_[lost]);
  waiting_.clear();
  return {};
}

audit_finding heads_check::explain(pqxx::transaction_base& work, const signed_head& lost) const {
  const auto first = proven_[lost.shard] + 1; // the first row that may be another
  const auto last = pg::number_of(
      work.exec_params1("SELECT coalesce(max(position), 0) FROM journal WHERE shard = $1",
                        static_cast<int>(lost.shard))[0]);
  const auto signed_at = "the head that was signed at position " + std::to_string(lost.position);
  if (last < lost.position && last + 1 >= first)
    return {lost.shard,
            last + 1,
            {},
            {},
            "the chain was cut off behind position " + std::to_string(last) + ": " + signed_at +
                " is gone"};
  audit_finding out{lost.shard, first, {}, {}, {}};
  const auto rows = work.exec_prepared("audit_rows", static_cast<int>(lost.shard),
                                       static_cast<std::int64_t>(first - 1), 1);
  if (!rows.empty()) {
    const auto row = pg::journal_row_of(rows[0]);
    out.entity = row.entity;
    out.type = row.type;
  }
  out.what =
      first == lost.position
          ? "the row was altered and the chain computed anew: " + signed_at + " had another hash"
          : "the chain was computed anew from here or from a later row up to position " +
                std::to_string(lost.position) + ": " + signed_at + " had another hash";
  return out;
}

std::optional<audit_finding> heads_check::check_unsigned(pqxx::transaction_base& work,
                                                         std::int64_t now_us) const {
  const auto limit_us = how_.unsigned_limit.count() * 1'000;
  if (limit_us == 0 || (newest_us_ != 0 && newest_us_ > now_us - limit_us))
    return {};
  array_literal proven;
  for (auto position : proven_)
    proven.number(static_cast<std::int64_t>(position));
  const auto rows = work.exec_params(
      std::string{"SELECT j.*, h.head_position FROM shard h, LATERAL (SELECT "} +
          pg::journal_columns +
          " FROM journal WHERE shard = h.shard AND position > ($1::bigint[])[h.shard + 1]"
          " ORDER BY position LIMIT 1) j WHERE j.at_us < $2 ORDER BY h.shard LIMIT 1",
      proven.str(), now_us - limit_us);
  if (rows.empty())
    return {};
  const auto row = pg::journal_row_of(rows[0]);
  return audit_finding{row.shard, row.position, row.entity, row.type,
                       "the row's head is not signed, and the last signing was " +
                           (newest_us_ == 0 ? "never" : "at " + rfc3339(newest_us_)) +
                           ": see that the node can write " + (how_.folder / "heads.log").string()};
}

} // namespace rahat::audit
