#include "tests/integration/audit/world.hpp"

#include "persistence/chain/chain.hpp"
#include "persistence/chain/marks.hpp"
#include "persistence/postgres/decode.hpp"
#include "runtime/decider/account.hpp"

namespace rahat::test {

namespace {

constexpr const char* currency = "NPR";
constexpr std::int64_t some_us = 1'763'633'532'000'000;

std::string quoted_bytes(std::string_view raw) {
  return "'\\x" + hex(raw) + "'::bytea";
}

std::string quoted(const uuid& id) {
  return "'" + id.str() + "'::uuid";
}

} // namespace

world::world() : database_(pg_fixture::get().fresh_database()), admin_(database_.admin) {}

audit_options world::options() const {
  audit_options how;
  how.conninfo = database_.service;
  how.node = derive_id({"node of a test"});
  how.folder = files_.path() / "audit";
  how.key = files_.path() / "secrets" / "audit_ed25519.pem";
  how.unsigned_limit = {};
  return how;
}

pqxx::result world::sql(const std::string& text) {
  pqxx::nontransaction work{admin_};
  return work.exec(text);
}

std::string world::count(const std::string& from) {
  return sql("SELECT count(*) FROM " + from)[0][0].as<std::string>();
}

void world::open(const entity_ref& owner, const uuid& first, const uuid& last, const char* role) {
  sql("INSERT INTO account VALUES (" + quoted(first) + "," + quoted(last) + "," +
      std::to_string(shard_of(owner)) + ",'" + owner.kind + "'," + quoted(owner.id) + "," +
      quoted(project.id) + ",'" + currency + "','" + role + "')");
}

void world::fund(std::int64_t funds_minor, std::int64_t reserve_minor) {
  const auto outside = account_of(project, "outside");
  const auto budget = account_of(project, "budget");
  const auto reserve = account_of(disbursement, "reserve");
  const auto till = account_of(vendor, "vendor");
  open(project, outside, outside, "outside");
  open(project, budget, budget, "budget");
  open(disbursement, reserve, reserve, "reserve");
  open(batch, wallet_of(batch.id, 0), wallet_of(batch.id, 0xffffffff), "wallet");
  open(vendor, till, till, "vendor");
  act funded{project, "project.funded", {}, {}, {}};
  move(funded, {purpose_of(project, "fund", "1"),
                outside,
                budget,
                funds_minor,
                currency,
                project,
                "fund",
                {}});
  commit(std::move(funded));
  act reserved{project, "project.reserved", {}, {}, {}};
  move(reserved, {purpose_of(project, "reserve", list.raw()),
                  budget,
                  reserve,
                  reserve_minor,
                  currency,
                  disbursement,
                  "reserve",
                  {}});
  commit(std::move(reserved));
}

void world::move(act& a, const transfer& t) {
  known_[a.who] -= t.amount_minor;
  if (t.credit_owner == a.who)
    known_[a.who] += t.amount_minor;
  else
    a.tells.push_back({t.credit_owner, {0, t.currency, t.amount_minor}});
  *a.payload.add_transfers() = chain::mark_of(t);
  a.transfers.push_back(t);
}

world::place world::lock(std::uint32_t lines) {
  const auto prefix = wallet_of(batch.id, 0).str().substr(0, 28);
  sql("INSERT INTO line SELECT " + quoted(list) +
      ", n, gen_random_uuid(),"
      " ('" +
      prefix + "' || lpad(to_hex(n), 8, '0'))::uuid, " + quoted(batch.id) +
      ", 100 + n FROM generate_series(0, " + std::to_string(lines) + " - 1) n");
  return commit({batch, "batch.locked", {}, {}, {}});
}

world::place world::pay(std::uint32_t first, std::uint32_t count) {
  line_payment p;
  p.disbursement = list;
  p.first = first;
  p.last = first + count - 1;
  p.debit = account_of(disbursement, "reserve");
  p.currency = currency;
  p.count = count;
  p.credit_owner = batch;
  std::vector<line_row> rows;
  for (auto no = first; no <= p.last; ++no) {
    rows.push_back({no, {}, wallet_of(batch.id, no), 100 + no});
    p.sum_minor += rows.back().amount_minor;
  }
  p.lines_digest = digest_of(rows);
  known_[disbursement] -= p.sum_minor;
  act a{disbursement, "disbursement.chunk_decided", {}, {}, {{batch, {0, currency, p.sum_minor}}}};
  *a.payload.add_transfers() = chain::mark_of(p);
  const auto at = commit(std::move(a));
  sql("INSERT INTO transfer SELECT list, no, " + quoted(p.debit) + ", wallet, amount_minor, '" +
      currency + "', " + std::to_string(at.shard) + ", " + std::to_string(at.position) +
      " FROM line WHERE list = " + quoted(list) + " AND no BETWEEN " + std::to_string(p.first) +
      " AND " + std::to_string(p.last));
  return at;
}

world::place world::redeem(std::uint32_t member, std::int64_t amount_minor) {
  act a{batch, "batch.redeemed", {}, {}, {}};
  const auto id = std::to_string(seqs_[batch]);
  move(a, {purpose_of(batch, "redemption", id),
           wallet_of(batch.id, member),
           account_of(vendor, "vendor"),
           amount_minor,
           currency,
           vendor,
           "redemption",
           {}});
  return commit(std::move(a));
}

world::place world::note(const entity_ref& who) {
  act a{who, who.kind + ".noted", {}, {}, {}};
  a.payload.add_events("note " + std::to_string(seqs_[who]));
  return commit(std::move(a));
}

world::place world::tell(const entity_ref& source, const entity_ref& target) {
  return commit({source, source.kind + ".told", {}, {}, {{target, {}}}});
}

world::place world::apply(const entity_ref& target, const entity_ref& source) {
  auto& waiting = under_way_.at({source, target});
  const auto m = waiting.front();
  waiting.pop_front();
  known_[target] += m.amount_minor;
  act a{target, target.kind + ".credited", {}, {}, {}};
  assign(*a.payload.mutable_inbox()->mutable_source(), source);
  a.payload.mutable_inbox()->set_n(m.n);
  return commit(std::move(a));
}

void world::live() {
  fund(1'000'000, 50'000);
  apply(disbursement, project);
  lock(40);
  first_chunk = pay(0, 20);
  pay(20, 20);
  apply(batch, disbursement);
  apply(batch, disbursement);
  tell(batch, vendor);
  redeemed = redeem(3, 50);
  redeem(4, 60);
  apply(vendor, batch);
  apply(vendor, batch);
  note(project);
}

world::place world::commit(act a) {
  for (auto& [to, message] : a.tells) {
    message.n = ++numbers_[{a.who, to}];
    auto& mark = *a.payload.add_outbox();
    assign(*mark.mutable_target(), to);
    mark.set_n(message.n);
    under_way_[{a.who, to}].push_back(message);
  }
  rahat::commit c;
  c.entity = a.who;
  c.shard = shard_of(a.who);
  c.seq = ++seqs_[a.who];
  c.type = a.type;
  c.payload = a.payload.SerializeAsString();
  c.principal = "tester";
  c.at_us = some_us;
  auto& [position, hash] = heads_[c.shard];
  hash = chain::next(hash, c, ++position, 1);
  const place at{c.shard, position};
  pqxx::work work{admin_};
  work.exec_params("INSERT INTO journal VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10)",
                   c.entity.kind, c.entity.id.str(), c.seq, c.shard, position, c.type,
                   pg::as_bytea(c.payload), c.principal, c.at_us,
                   pg::as_bytea(std::string{view(hash)}));
  work.exec_params("UPDATE shard SET head_position = $2, head_hash = $3 WHERE shard = $1", c.shard,
                   position, pg::as_bytea(std::string{view(hash)}));
  save_transfers(work, a, at);
  save_totals(work, a);
  work.commit();
  return at;
}

void world::save_transfers(pqxx::transaction_base& work, const act& a, place at) {
  for (auto& t : a.transfers)
    work.exec_params("INSERT INTO transfer VALUES ($1, 0, $2, $3, $4, $5, $6, $7)", t.purpose.str(),
                     t.debit.str(), t.credit.str(), t.amount_minor, t.currency, at.shard,
                     at.position);
}

void world::save_totals(pqxx::transaction_base& work, const act& a) {
  work.exec_params(
      "INSERT INTO owned_total VALUES ($1, $2, $3, $4, $5, $6)"
      " ON CONFLICT (entity, kind, currency)"
      " DO UPDATE SET seq = excluded.seq, amount_minor = excluded.amount_minor",
      a.who.kind, a.who.id.str(), std::string{currency}, shard_of(a.who), seqs_[a.who],
      known_[a.who]);
}

void world::rehash(shard_id shard, std::uint64_t from) {
  pqxx::work work{admin_};
  digest hash = chain::genesis;
  std::uint64_t last = 0;
  for (const auto& r :
       work.exec(std::string{"SELECT "} + pg::journal_columns +
                 " FROM journal WHERE shard = " + std::to_string(shard) + " ORDER BY position")) {
    const auto row = pg::journal_row_of(r);
    hash = chain::next(hash, row);
    last = row.position;
    if (row.position >= from)
      work.exec0("UPDATE journal SET hash = " + quoted_bytes(view(hash)) + " WHERE shard = " +
                 std::to_string(shard) + " AND position = " + std::to_string(row.position));
  }
  work.exec0("UPDATE shard SET head_position = " + std::to_string(last) + ", head_hash = " +
             quoted_bytes(view(hash)) + " WHERE shard = " + std::to_string(shard));
  work.commit();
}

} // namespace rahat::test
