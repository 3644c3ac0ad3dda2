#pragma once

#include "actors/batch/batch.hpp"
#include "runtime/decider/account.hpp"
#include "tests/unit/actors/support/given.hpp"

#include <string>

/// Commands and messages that the tests of a batch speak with.
namespace rahat::testing {

inline const entity_ref batch_self{"batch", derive_id({"test", "batch"})};
inline const entity_ref its_upload{"upload", derive_id({"test", "upload"})};
inline const entity_ref its_project{"project", derive_id({"test", "project"})};
inline const entity_ref a_vendor{"vendor", derive_id({"test", "vendor"})};
inline const entity_ref its_disbursement{"disbursement", derive_id({"test", "disbursement"})};
inline const uuid a_list = derive_id({"a list"});

inline uuid member(std::uint32_t index) {
  return wallet_of(batch_self.id, index);
}

inline std::string hash_of(const std::string& code) {
  return std::string(view(sha256(code)));
}

// ---- messages --------------------------------------------------------------------------------

inline pb::BatchMessage enroll(std::uint32_t first = 0, std::uint32_t last = 2,
                               std::vector<std::uint32_t> excluded = {}) {
  pb::BatchMessage m;
  auto& ask = *m.mutable_enroll();
  ask.set_upload(its_upload.id.raw());
  ask.set_project(its_project.id.raw());
  ask.set_index(first / batch::max_members);
  ask.set_first(first);
  ask.set_last(last);
  for (auto ordinal : excluded)
    ask.add_excluded(ordinal);
  ask.set_currency("NPR");
  ask.set_by("maker");
  return m;
}

inline pb::BatchMessage accept() {
  pb::BatchMessage m;
  m.mutable_accept();
  return m;
}

inline pb::BatchMessage drop() {
  pb::BatchMessage m;
  m.mutable_drop();
  return m;
}

inline pb::BatchMessage lock(const uuid& list = a_list, std::int64_t amount_each_minor = 0,
                             std::uint32_t first_line = 20'000) {
  pb::BatchMessage m;
  m.mutable_lock()->set_disbursement(its_disbursement.id.raw());
  m.mutable_lock()->set_list(list.raw());
  m.mutable_lock()->set_first_line(first_line);
  m.mutable_lock()->set_amount_each_minor(amount_each_minor);
  return m;
}

inline pb::BatchMessage unlock(const uuid& list = a_list) {
  pb::BatchMessage m;
  m.mutable_unlock()->set_disbursement(its_disbursement.id.raw());
  m.mutable_unlock()->set_list(list.raw());
  return m;
}

inline pb::BatchMessage pay(const pb::ChunkDigest& chunk, const uuid& list = a_list) {
  pb::BatchMessage m;
  m.mutable_pay()->set_disbursement(its_disbursement.id.raw());
  m.mutable_pay()->set_list(list.raw());
  m.mutable_pay()->set_chunk(chunk.chunk());
  m.mutable_pay()->set_count(chunk.count());
  m.mutable_pay()->set_sum_minor(chunk.sum_minor());
  m.mutable_pay()->set_digest(chunk.digest());
  return m;
}

inline pb::BatchMessage project_is(pb::ProjectStatus status) {
  pb::BatchMessage m;
  m.mutable_project()->set_project(its_project.id.raw());
  m.mutable_project()->set_status(status);
  m.mutable_project()->set_currency("NPR");
  return m;
}

inline pb::BatchMessage vendor_is(pb::VendorStatus status, const entity_ref& vendor = a_vendor) {
  pb::BatchMessage m;
  m.mutable_vendor()->set_vendor(vendor.id.raw());
  m.mutable_vendor()->set_status(status);
  return m;
}

inline wire::Credit credit_to(const uuid& account, std::int64_t amount_minor,
                              std::string currency = "NPR", std::string why = "gift") {
  wire::Credit c;
  c.set_purpose(derive_id({"credit", why, currency}).raw());
  c.set_debit_account(derive_id({"somewhere"}).raw());
  c.set_credit_account(account.raw());
  c.set_amount_minor(amount_minor);
  c.set_currency(std::move(currency));
  assign(*c.mutable_from(), its_disbursement);
  c.set_why(std::move(why));
  return c;
}

// ---- commands --------------------------------------------------------------------------------

inline pb::BatchCommand issue(const uuid& wallet = member(0), const std::string& code = "4711") {
  pb::BatchCommand c;
  c.mutable_issue_code()->set_member(wallet.raw());
  c.mutable_issue_code()->set_code_hash(hash_of(code));
  return c;
}

inline pb::BatchCommand redeem(std::int64_t amount_minor = 400, const std::string& code = "4711",
                               std::string id = "till 1, no 1", const uuid& wallet = member(0),
                               const entity_ref& vendor = a_vendor) {
  pb::BatchCommand c;
  auto& ask = *c.mutable_redeem();
  ask.set_member(wallet.raw());
  ask.set_vendor(vendor.id.raw());
  ask.set_amount_minor(amount_minor);
  ask.set_currency("NPR");
  ask.set_code_hash(hash_of(code));
  ask.set_client_id(std::move(id));
  return c;
}

inline pb::BatchCommand list_members(std::uint32_t from = 0, std::uint32_t limit = 200) {
  pb::BatchCommand c;
  c.mutable_list_members()->set_from_index(from);
  c.mutable_list_members()->set_limit(limit);
  return c;
}

inline pb::BatchCommand freeze(std::string reason = "a complaint") {
  pb::BatchCommand c;
  c.mutable_freeze()->set_reason(std::move(reason));
  return c;
}

inline pb::BatchCommand thaw(std::string reason = "") {
  pb::BatchCommand c;
  c.mutable_thaw()->set_reason(std::move(reason));
  return c;
}

// ---- states ----------------------------------------------------------------------------------

using batch_world = given<batch>;

inline batch_world then(const outcome_of<batch>& out) {
  return batch_world(out.after).as(batch_self);
}

/// Staged rows [first, last]; row i has the amount 100 * (i + 1).
inline wire::Feed staged(std::uint32_t first, std::uint32_t last) {
  wire::Feed feed;
  for (auto i = first; i <= last; ++i) {
    auto& row = *feed.add_rows();
    row.set_ordinal(i);
    row.set_row(i + 1);
    row.set_person(derive_id({"person", std::to_string(i)}).raw());
    row.set_amount_minor(100 * (static_cast<std::int64_t>(i) + 1));
  }
  feed.set_total(last - first + 1);
  return feed;
}

/// A batch of that many members, enrolled but not accepted.
inline batch_world enrolled(std::uint32_t members) {
  auto now = then(batch_world().as(batch_self).told(enroll(0, members - 1)));
  while (auto ask = batch::feed_for(now.state()))
    now = then(now.feed(staged(ask->first, ask->last)).proceed());
  return now;
}

inline batch_world accepted(std::uint32_t members) {
  return then(enrolled(members).told(accept()));
}

/// Open, with facts known, a code for member 0 and 1,000 in that wallet.
inline batch_world ready(std::uint32_t members = 3) {
  auto now = then(accepted(members).told(project_is(pb::PROJECT_ACTIVE)));
  now = then(now.told(vendor_is(pb::VENDOR_VERIFIED)));
  now = then(now.credited(credit_to(member(0), 1'000)));
  return then(now.when(issue()));
}

} // namespace rahat::testing
