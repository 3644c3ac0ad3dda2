#include "persistence/audit/signer.hpp"

#include "persistence/audit/heads_file.hpp"
#include "persistence/audit/session.hpp"
#include "persistence/chain/chain.hpp"
#include "persistence/postgres/decode.hpp"

namespace rahat::audit {

signer::signer(const audit_options& how)
    : how_(how), key_(signing_key::load_or_make(how.key, how.folder / "heads.pub")) {}

std::uint64_t signer::sign(std::int64_t now_us) {
  std::lock_guard guard{mutex_};
  heads_line line;
  {
    // A connection a minute: nothing that has to be kept alive.
    const auto connection = open_session(how_.conninfo);
    pqxx::nontransaction work{*connection};
    for (const auto& row : work.exec("SELECT shard, head_position, head_hash FROM shard"
                                     " WHERE head_position > 0 ORDER BY shard")) {
      const auto shard = static_cast<shard_id>(row[0].as<int>());
      const auto position = pg::number_of(row[1]);
      if (shard < shard_count && position != signed_[shard])
        line.heads.push_back({shard, position, chain::to_digest(pg::bytes_of(row[2]))});
    }
  }
  if (line.heads.empty())
    return 0;
  const auto file = how_.folder / "heads.log";
  line.at_us = now_us;
  line.node = how_.node.str();
  line.previous = last_line_hash(file);
  line.key = key_.id();
  const auto part = signed_part(line);
  append_heads_line(file, with_signature(part, key_.sign(part)));
  for (auto& h : line.heads)
    signed_[h.shard] = h.position;
  return line.heads.size();
}

} // namespace rahat::audit
