#include "persistence/memory/statement.hpp"

#include "persistence/memory/text.hpp"
#include "persistence/memory/undo_log.hpp"

#include <limits>

namespace rahat::memory {

namespace {

void must_be_text(const std::string& text, const char* column) {
  if (!is_storable_text(text))
    throw row_error(std::string(column) + " is not UTF-8 text without U+0000");
}

void must_be_amount(std::int64_t amount_minor, const std::string& currency) {
  if (amount_minor <= 0)
    throw row_error("a transfer needs an amount above zero");
  if (currency.size() != 3)
    throw row_error("a transfer needs a currency of three letters");
  must_be_text(currency, "currency");
}

void move_heads(tables& db, const statement& batch, undo_log& undo) {
  fenced_error fenced;
  for (auto& [shard, move] : batch.heads) {
    auto row = db.shards.at(shard);
    if (row.generation != batch.generation || row.epoch != move.epoch ||
        row.head_position != move.expected) {
      fenced.shards.push_back(shard);
      continue;
    }
    row.head_position = move.position;
    row.head_hash = move.hash;
    row.commit_id = batch.commit_id;
    undo.put(db.shards, shard, std::move(row));
  }
  if (!fenced.shards.empty())
    throw fenced;
}

void write_journal(tables& db, const placed_commit& p, std::uint64_t epoch, undo_log& undo) {
  auto& c = *p.what;
  must_be_text(c.entity.kind, "kind");
  must_be_text(c.type, "type");
  must_be_text(c.principal, "principal");
  undo.insert(db.journal, {c.entity, c.seq},
              {c.shard, p.position, epoch, c.entity, c.seq, c.type, c.payload, c.principal, c.at_us,
               p.hash},
              "journal");
  undo.insert(db.positions, {c.shard, p.position}, {c.entity, c.seq}, "journal");
}

void write_requests(tables& db, const commit& c, undo_log& undo) {
  if (c.request)
    undo.insert(db.requests, {c.request->id, c.at_us / day_us},
                {c.entity, c.request->payload_hash, c.request->reply}, "request");
  for (auto& answer : c.answered) {
    // The newest of the id: days are the second part of the key. One that retention has dropped
    // needs no answer any more.
    auto at = db.requests.upper_bound({answer.id, std::numeric_limits<std::int64_t>::max()});
    if (at == db.requests.begin())
      continue;
    --at;
    if (at->first.first != answer.id || at->second.entity != c.entity)
      continue;
    auto row = at->second;
    row.reply = answer.reply;
    undo.put(db.requests, at->first, std::move(row));
  }
}

void write_transfers(tables& db, const placed_commit& p, undo_log& undo) {
  for (auto& t : p.what->transfers) {
    must_be_amount(t.amount_minor, t.currency);
    undo.insert(db.transfers, {t.purpose, 0},
                {t.debit, t.credit, t.amount_minor, t.currency, p.what->shard, p.position},
                "transfer");
  }
}

/// The server's part of paying a chunk: makes the transfers from the locked lines and refuses when
/// they are not the lines that were approved.
void pay(tables& db, const placed_commit& p, const line_payment& chunk, undo_log& undo) {
  std::vector<line_row> found;
  std::int64_t sum_minor = 0;
  auto at = db.lines.lower_bound({chunk.disbursement, chunk.first});
  for (; at != db.lines.end() && at->first <= line_key{chunk.disbursement, chunk.last}; ++at) {
    auto& line = at->second;
    must_be_amount(line.amount_minor, chunk.currency);
    if (__builtin_add_overflow(sum_minor, line.amount_minor, &sum_minor))
      throw row_error("the sum of the lines is out of range");
    found.push_back({line.no, line.person, line.wallet, line.amount_minor});
    undo.insert(
        db.transfers, {chunk.disbursement, line.no},
        {chunk.debit, line.wallet, line.amount_minor, chunk.currency, p.what->shard, p.position},
        "transfer");
  }
  if (found.size() != chunk.count)
    throw row_error("the count of the lines is not the approved one");
  if (sum_minor != chunk.sum_minor)
    throw row_error("the sum of the lines is not the approved one");
  if (digest_of(found) != chunk.lines_digest)
    throw row_error("the digest of the lines is not the approved one");
}

void write_lines(tables& db, const commit& c, undo_log& undo) {
  for (auto& part : c.lines)
    for (auto& line : part.rows)
      undo.insert(db.lines, {part.disbursement, line.no},
                  {line.no, line.person, line.wallet, part.batch.id, line.amount_minor}, "line");
}

void write_staged(tables& db, const commit& c, undo_log& undo) {
  for (auto& part : c.staged) {
    for (auto& r : part.rows)
      undo.insert(db.rows, {part.upload, r.ordinal},
                  {r.ordinal, r.row, r.person, r.amount_minor, r.sealed, r.wrapped_key},
                  "upload_row");
    for (auto& e : part.errors) {
      must_be_text(e.field, "field");
      must_be_text(e.message, "message");
      undo.insert(db.errors, {part.upload, e.row, ++db.last_error}, {e.row, e.field, e.message},
                  "upload_error");
    }
  }
}

void write_accounts(tables& db, const commit& c, undo_log& undo) {
  for (auto& range : c.accounts) {
    must_be_text(range.currency, "currency");
    must_be_text(range.role, "role");
    undo.insert(db.accounts, range.first, {range, c.entity}, "account");
  }
  for (auto& total : c.totals)
    undo.put(db.totals, {c.entity, total.currency}, {c.seq, total.amount_minor});
}

void write_messages(tables& db, const commit& c, undo_log& undo) {
  for (auto& m : c.outbox)
    undo.insert(db.outbox, {c.entity, m.target, m.n}, {c.shard, c.at_us, m.body}, "outbox");
  for (auto& timer : c.timers) {
    must_be_text(timer.name, "name");
    if (timer.due_us == 0)
      undo.erase(db.timers, {c.entity, timer.name});
    else
      undo.put(db.timers, {c.entity, timer.name}, {c.shard, timer.due_us});
  }
}

void write_queries(tables& db, const commit& c, undo_log& undo) {
  for (auto& q : c.queries) {
    must_be_text(q.kind, "kind");
    must_be_text(q.keys.status, "status");
    if (!is_storable_json(q.doc))
      throw row_error("a document for lists is not JSON");
    undo.put(db.queries, {q.kind, q.id}, {q.keys, q.doc});
  }
}

} // namespace

void execute(tables& db, const statement& batch) {
  undo_log undo;
  move_heads(db, batch, undo);
  for (auto& p : batch.commits) {
    auto& c = *p.what;
    write_journal(db, p, batch.heads.at(c.shard).epoch, undo);
    write_requests(db, c, undo);
    write_lines(db, c, undo);
    write_transfers(db, p, undo);
    for (auto& chunk : c.payments)
      pay(db, p, chunk, undo);
    write_staged(db, c, undo);
    write_accounts(db, c, undo);
    write_messages(db, c, undo);
    write_queries(db, c, undo);
  }
  undo.keep();
}

} // namespace rahat::memory
