#include "tests/e2e/ledger.hpp"

#include "persistence/chain/chain.hpp"

#include <map>
#include <pqxx/pqxx>
#include <stdexcept>

namespace rahat::test {

namespace {

constexpr std::size_t max_faults = 20; // enough to see what is wrong

std::string bytes_of(const pqxx::field& f) {
  return pqxx::binarystring{f}.str();
}

journal_row row_of(const pqxx::row& r) {
  journal_row out;
  out.shard = static_cast<shard_id>(r[0].as<int>());
  out.position = r[1].as<std::uint64_t>();
  out.epoch = r[2].as<std::uint64_t>();
  out.entity = {r[3].c_str(), uuid::parse(r[4].c_str()).value()};
  out.seq = r[5].as<std::uint64_t>();
  out.type = r[6].c_str();
  out.payload = bytes_of(r[7]);
  out.principal = r[8].c_str();
  out.at_us = r[9].as<std::int64_t>();
  out.hash = bytes_of(r[10]);
  return out;
}

struct head {
  std::uint64_t position = 0;
  digest hash = chain::genesis;
};

} // namespace

std::int64_t ledger::number(const std::string& sql) const {
  pqxx::connection connection{conninfo_};
  pqxx::nontransaction work{connection};
  return work.exec1(sql)[0].as<std::int64_t>();
}

std::string ledger::text(const std::string& sql) const {
  pqxx::connection connection{conninfo_};
  pqxx::nontransaction work{connection};
  return work.exec1(sql)[0].c_str();
}

void ledger::run(const std::string& sql) const {
  pqxx::connection connection{conninfo_};
  pqxx::nontransaction work{connection};
  work.exec(sql);
}

std::int64_t ledger::seq_of(const std::string& entity) const {
  return number("SELECT coalesce(max(seq), 0) FROM journal WHERE entity = '" + entity + "'");
}

std::vector<std::string> ledger::broken_links() const {
  pqxx::connection connection{conninfo_};
  pqxx::work work{connection};
  work.exec0("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  std::vector<std::string> out;
  std::map<shard_id, head> at;
  for (const auto& r :
       work.exec("SELECT shard, position, epoch, kind, entity, seq, type, payload, principal,"
                 " at_us, hash FROM journal ORDER BY shard, position")) {
    auto row = row_of(r);
    auto& last = at[row.shard];
    auto where =
        "shard " + std::to_string(row.shard) + ", position " + std::to_string(row.position);
    if (row.position != last.position + 1)
      out.push_back(where + " follows " + std::to_string(last.position));
    last = {row.position, chain::next(last.hash, row)};
    if (last.hash != chain::to_digest(row.hash))
      out.push_back(where + " has a hash that does not follow");
    if (out.size() >= max_faults)
      return out;
  }
  for (const auto& r : work.exec("SELECT shard, head_position, head_hash FROM shard")) {
    auto& last = at[static_cast<shard_id>(r[0].as<int>())];
    if (last.position != r[1].as<std::uint64_t>() || last.hash != chain::to_digest(bytes_of(r[2])))
      out.push_back(std::string{"the head of shard "} + r[0].c_str() + " is not its last row");
  }
  return out;
}

std::vector<std::string> ledger::wrong_books() const {
  pqxx::connection connection{conninfo_};
  pqxx::work work{connection};
  work.exec0("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  std::vector<std::string> out;
  for (const auto& r : work.exec(R"(
WITH moved AS (
    SELECT account, currency, sum(amount) AS amount
    FROM (SELECT credit AS account, currency, amount_minor AS amount FROM transfer
          UNION ALL SELECT debit, currency, -amount_minor FROM transfer) m
    GROUP BY account, currency),
  owned AS (
    SELECT a.owner, m.currency, sum(m.amount) AS amount
    FROM moved m LEFT JOIN LATERAL (
      SELECT owner, last, currency FROM account WHERE first <= m.account
      ORDER BY first DESC LIMIT 1) a ON m.account <= a.last AND a.currency = m.currency
    GROUP BY a.owner, m.currency)
SELECT coalesce(o.owner::text, t.entity::text, 'nobody'), coalesce(o.amount, 0),
       coalesce(t.amount_minor, 0)
FROM owned o FULL JOIN owned_total t ON t.entity = o.owner AND t.currency = o.currency
WHERE coalesce(o.amount, 0) <> coalesce(t.amount_minor, 0)
   OR (o.owner IS NULL AND o.amount IS NOT NULL)
LIMIT 20)"))
    out.push_back(std::string{r[0].c_str()} + " owns " + r[1].c_str() +
                  " by the transfers and believes " + r[2].c_str());
  return out;
}

std::vector<std::string> ledger::wrong_lines(const std::string& list) const {
  pqxx::connection connection{conninfo_};
  pqxx::nontransaction work{connection};
  const auto id = work.quote(list);
  std::vector<std::string> out;
  for (const auto& r :
       work.exec("SELECT coalesce(l.no, t.line) FROM (SELECT * FROM line WHERE list = " + id +
                 ") l"
                 " FULL JOIN (SELECT * FROM transfer WHERE purpose = " +
                 id +
                 ") t ON t.line = l.no"
                 " WHERE l.no IS NULL OR t.line IS NULL OR t.credit <> l.wallet"
                 " OR t.amount_minor <> l.amount_minor LIMIT 20"))
    out.push_back(std::string{"line "} + r[0].c_str() + " and its transfer differ");
  return out;
}

} // namespace rahat::test
