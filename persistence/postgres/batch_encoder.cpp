#include "persistence/postgres/batch_encoder.hpp"

#include <functional>

namespace rahat::pg {

namespace {

using t = column::type;

/// Indexes of the columns, in the order of the functions' parameters.
enum common_column {
  s_shard,
  s_epoch,
  s_expected,
  s_head,
  s_hash,
  j_kind,
  j_entity,
  j_seq,
  j_shard,
  j_position,
  j_epoch,
  j_type,
  j_payload,
  j_principal,
  j_at,
  j_hash,
  r_day,
  r_id,
  r_kind,
  r_entity,
  r_hash,
  r_shard,
  r_position,
  r_reply,
  a_id,
  a_kind,
  a_entity,
  a_reply,
  q_kind,
  q_id,
  q_shard,
  q_seq,
  q_project,
  q_parent,
  q_status,
  q_created,
  q_doc,
  o_source_kind,
  o_source,
  o_target_kind,
  o_target,
  o_n,
  o_shard,
  o_at,
  o_body,
  t_purpose,
  t_debit,
  t_credit,
  t_amount,
  t_currency,
  t_shard,
  t_position,
  w_kind,
  w_entity,
  w_currency,
  w_shard,
  w_seq,
  w_amount,
  m_kind,
  m_entity,
  m_name,
  m_shard,
  m_due,
  d_kind,
  d_entity,
  d_name,
  common_count
};

constexpr t common_types[] = {
    t::int2, t::int8, t::int8,  t::int8,  t::bytea, t::text,  t::uuid,  t::int8,  t::int2, t::int8,
    t::int8, t::text, t::bytea, t::text,  t::int8,  t::bytea, t::date,  t::uuid,  t::text, t::uuid,
    t::int8, t::int2, t::int8,  t::bytea, t::uuid,  t::text,  t::uuid,  t::bytea, t::text, t::uuid,
    t::int2, t::int8, t::uuid,  t::uuid,  t::text,  t::int8,  t::jsonb, t::text,  t::uuid, t::text,
    t::uuid, t::int8, t::int2,  t::int8,  t::bytea, t::uuid,  t::uuid,  t::uuid,  t::int8, t::text,
    t::int2, t::int8, t::text,  t::uuid,  t::text,  t::int2,  t::int8,  t::int8,  t::text, t::uuid,
    t::text, t::int2, t::int8,  t::text,  t::uuid,  t::text,
};
static_assert(std::size(common_types) == common_count);

enum bulk_column {
  c_first,
  c_last,
  c_shard,
  c_owner_kind,
  c_owner,
  c_project,
  c_currency,
  c_role,
  l_list,
  l_no,
  l_person,
  l_wallet,
  l_batch,
  l_amount,
  u_upload,
  u_ordinal,
  u_row,
  u_person,
  u_amount,
  u_sealed,
  u_key,
  e_upload,
  e_row,
  e_field,
  e_message,
  p_purpose,
  p_first,
  p_last,
  p_debit,
  p_currency,
  p_count,
  p_sum,
  p_digest,
  p_shard,
  p_position,
  bulk_count
};

constexpr t bulk_types[] = {
    t::uuid, t::uuid,  t::int2,  t::text, t::uuid, t::uuid,  t::text, t::text, t::uuid,
    t::int4, t::uuid,  t::uuid,  t::uuid, t::int8, t::uuid,  t::int4, t::int4, t::uuid,
    t::int8, t::bytea, t::bytea, t::uuid, t::int4, t::text,  t::text, t::uuid, t::int4,
    t::int4, t::uuid,  t::text,  t::int8, t::int8, t::bytea, t::int2, t::int8,
};
static_assert(std::size(bulk_types) == bulk_count);

std::int64_t as_signed(std::uint64_t v) {
  return static_cast<std::int64_t>(v);
}

/// Numbers of lines and rows; `commit_fault` has refused those beyond 2^31.
std::int32_t as_int4(std::uint32_t v) {
  return static_cast<std::int32_t>(v);
}

} // namespace

std::size_t batch_encoder::row_key_hash::operator()(const row_key& k) const noexcept {
  const std::hash<std::string_view> text;
  return std::hash<uuid>{}(k.id) ^ (text(k.kind) * 3) ^ (text(k.part) * 7);
}

batch_encoder::batch_encoder() {
  for (auto element : common_types)
    common_.emplace_back(element);
  for (auto element : bulk_types)
    bulk_.emplace_back(element);
}

bool batch_encoder::has_bulk() const {
  for (auto section : {c_first, l_no, u_ordinal, e_row, p_purpose})
    if (bulk_[section].size() > 0)
      return true;
  return false;
}

void batch_encoder::encode(const std::vector<head_move>& heads,
                           const std::vector<placed_commit>& group) {
  for (auto& c : common_)
    c.clear();
  for (auto& c : bulk_)
    c.clear();
  for (auto& h : heads) {
    common_[s_shard].int2(h.shard);
    common_[s_epoch].int8(as_signed(h.epoch));
    common_[s_expected].int8(as_signed(h.expected));
    common_[s_head].int8(as_signed(h.position));
    common_[s_hash].bytes(view(h.hash));
  }
  for (auto& p : group) {
    add_inserts(p);
    add_requests(p);
    add_money(p);
    add_bulk(*p.what);
    add_staged(*p.what);
  }
  queries_.clear();
  totals_.clear();
  timers_.clear();
  for (auto p = group.rbegin(); p != group.rend(); ++p) { // the last row of a key is met first
    add_replaced(*p->what);
    add_timers(*p->what);
  }
}

void batch_encoder::add_inserts(const placed_commit& p) {
  const auto& c = *p.what;
  auto& out = common_;
  out[j_kind].bytes(c.entity.kind);
  out[j_entity].id(c.entity.id);
  out[j_seq].int8(as_signed(c.seq));
  out[j_shard].int2(c.shard);
  out[j_position].int8(as_signed(p.position));
  out[j_epoch].int8(as_signed(p.epoch));
  out[j_type].bytes(c.type);
  out[j_payload].bytes(c.payload);
  out[j_principal].bytes(c.principal);
  out[j_at].int8(c.at_us);
  out[j_hash].bytes(view(p.hash));
  for (auto& o : c.outbox) {
    out[o_source_kind].bytes(c.entity.kind);
    out[o_source].id(c.entity.id);
    out[o_target_kind].bytes(o.target.kind);
    out[o_target].id(o.target.id);
    out[o_n].int8(as_signed(o.n));
    out[o_shard].int2(c.shard);
    out[o_at].int8(c.at_us);
    out[o_body].bytes(o.body);
  }
}

void batch_encoder::add_requests(const placed_commit& p) {
  const auto& c = *p.what;
  auto& out = common_;
  if (c.request) {
    out[r_day].day(c.at_us);
    out[r_id].id(c.request->id);
    out[r_kind].bytes(c.entity.kind);
    out[r_entity].id(c.entity.id);
    out[r_hash].int8(as_signed(c.request->payload_hash));
    out[r_shard].int2(c.shard);
    out[r_position].int8(as_signed(p.position));
    out[r_reply].bytes(c.request->reply);
  }
  for (auto& a : c.answered) {
    out[a_id].id(a.id);
    out[a_kind].bytes(c.entity.kind);
    out[a_entity].id(c.entity.id);
    out[a_reply].bytes(a.reply);
  }
}

void batch_encoder::add_money(const placed_commit& p) {
  const auto& c = *p.what;
  for (auto& m : c.transfers) {
    auto& out = common_;
    out[t_purpose].id(m.purpose);
    out[t_debit].id(m.debit);
    out[t_credit].id(m.credit);
    out[t_amount].int8(m.amount_minor);
    out[t_currency].bytes(m.currency);
    out[t_shard].int2(c.shard);
    out[t_position].int8(as_signed(p.position));
  }
  for (auto& m : c.payments) {
    auto& out = bulk_;
    out[p_purpose].id(m.disbursement);
    out[p_first].int4(as_int4(m.first));
    out[p_last].int4(as_int4(m.last));
    out[p_debit].id(m.debit);
    out[p_currency].bytes(m.currency);
    out[p_count].int8(m.count);
    out[p_sum].int8(m.sum_minor);
    out[p_digest].bytes(view(m.lines_digest));
    out[p_shard].int2(c.shard);
    out[p_position].int8(as_signed(p.position));
  }
}

void batch_encoder::add_bulk(const commit& c) {
  auto& out = bulk_;
  for (auto& a : c.accounts) {
    out[c_first].id(a.first);
    out[c_last].id(a.last);
    out[c_shard].int2(c.shard);
    out[c_owner_kind].bytes(c.entity.kind);
    out[c_owner].id(c.entity.id);
    out[c_project].id(a.project);
    out[c_currency].bytes(a.currency);
    out[c_role].bytes(a.role);
  }
  for (auto& list : c.lines) {
    for (auto& row : list.rows) {
      out[l_list].id(list.disbursement);
      out[l_no].int4(as_int4(row.no));
      out[l_person].id(row.person);
      out[l_wallet].id(row.wallet);
      out[l_batch].id(list.batch.id);
      out[l_amount].int8(row.amount_minor);
    }
  }
}

void batch_encoder::add_staged(const commit& c) {
  auto& out = bulk_;
  for (auto& chunk : c.staged) {
    for (auto& row : chunk.rows) {
      out[u_upload].id(chunk.upload);
      out[u_ordinal].int4(as_int4(row.ordinal));
      out[u_row].int4(as_int4(row.row));
      out[u_person].id(row.person);
      out[u_amount].int8(row.amount_minor);
      out[u_sealed].bytes(row.sealed);
      out[u_key].bytes(row.wrapped_key);
    }
    for (auto& e : chunk.errors) {
      out[e_upload].id(chunk.upload);
      out[e_row].int4(as_int4(e.row));
      out[e_field].bytes(e.field);
      out[e_message].bytes(e.message);
    }
  }
}

void batch_encoder::add_replaced(const commit& c) {
  auto& out = common_;
  for (auto q = c.queries.rbegin(); q != c.queries.rend(); ++q) {
    if (!queries_.insert({q->kind, q->id, {}}).second)
      continue;
    out[q_kind].bytes(q->kind);
    out[q_id].id(q->id);
    out[q_shard].int2(c.shard);
    out[q_seq].int8(as_signed(c.seq));
    out[q_project].id(q->keys.project);
    out[q_parent].id(q->keys.parent);
    out[q_status].bytes(q->keys.status);
    out[q_created].int8(q->keys.created_us);
    out[q_doc].json(q->doc);
  }
  for (auto w = c.totals.rbegin(); w != c.totals.rend(); ++w) {
    if (!totals_.insert({c.entity.kind, c.entity.id, w->currency}).second)
      continue;
    out[w_kind].bytes(c.entity.kind);
    out[w_entity].id(c.entity.id);
    out[w_currency].bytes(w->currency);
    out[w_shard].int2(c.shard);
    out[w_seq].int8(as_signed(c.seq));
    out[w_amount].int8(w->amount_minor);
  }
}

void batch_encoder::add_timers(const commit& c) {
  auto& out = common_;
  for (auto m = c.timers.rbegin(); m != c.timers.rend(); ++m) {
    if (!timers_.insert({c.entity.kind, c.entity.id, m->name}).second)
      continue;
    const bool set = m->due_us != 0;
    out[set ? m_kind : d_kind].bytes(c.entity.kind);
    out[set ? m_entity : d_entity].id(c.entity.id);
    out[set ? m_name : d_name].bytes(m->name);
    if (set) {
      out[m_shard].int2(c.shard);
      out[m_due].int8(m->due_us);
    }
  }
}

} // namespace rahat::pg
