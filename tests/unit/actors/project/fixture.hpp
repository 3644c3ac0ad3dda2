#pragma once

#include "actors/project/project.hpp"
#include "runtime/decider/account.hpp"
#include "tests/unit/actors/support/given.hpp"

#include <string>

/// Commands and messages that the tests of a project speak with.
namespace rahat::testing {

inline const entity_ref project_self{"project", derive_id({"test", "project"})};
inline const entity_ref a_batch{"batch", derive_id({"test", "batch"})};
inline const entity_ref an_upload{"upload", derive_id({"test", "upload"})};
inline const entity_ref a_disbursement{"disbursement", derive_id({"test", "disbursement"})};
inline const entity_ref a_settlement{"settlement", derive_id({"test", "settlement"})};
inline const uuid a_reserve = account_of(a_disbursement, "reserve");

inline pb::ProjectCommand create(std::string name = "Floods 2026", std::string currency = "NPR",
                                 std::string starts = "2026-07-01", std::string ends = "") {
  pb::ProjectCommand c;
  c.mutable_create()->set_name(std::move(name));
  c.mutable_create()->set_currency(std::move(currency));
  c.mutable_create()->set_starts_on(std::move(starts));
  c.mutable_create()->set_ends_on(std::move(ends));
  return c;
}

inline pb::ProjectCommand activate() {
  pb::ProjectCommand c;
  c.mutable_activate();
  return c;
}

inline pb::ProjectCommand suspend(std::string reason = "floods") {
  pb::ProjectCommand c;
  c.mutable_suspend()->set_reason(std::move(reason));
  return c;
}

inline pb::ProjectCommand close() {
  pb::ProjectCommand c;
  c.mutable_close()->set_reason("over");
  return c;
}

inline pb::ProjectCommand fund(std::int64_t amount_minor, std::string currency = "NPR") {
  pb::ProjectCommand c;
  c.mutable_fund()->set_amount_minor(amount_minor);
  c.mutable_fund()->set_currency(std::move(currency));
  c.mutable_fund()->set_reference("grant 7");
  return c;
}

inline pb::ProjectMessage ask_from(const entity_ref& asker, bool with_batches = false) {
  pb::ProjectMessage m;
  assign(*m.mutable_ask()->mutable_asker(), asker);
  m.mutable_ask()->set_with_batches(with_batches);
  return m;
}

inline pb::ProjectMessage ask_once(const entity_ref& asker) {
  auto m = ask_from(asker);
  m.mutable_ask()->set_once(true);
  return m;
}

inline pb::ProjectMessage reserve(std::int64_t amount_minor, std::string currency = "NPR",
                                  const uuid& list = derive_id({"list"})) {
  pb::ProjectMessage m;
  assign(*m.mutable_reserve()->mutable_disbursement(), a_disbursement);
  m.mutable_reserve()->set_account(a_reserve.raw());
  m.mutable_reserve()->set_amount_minor(amount_minor);
  m.mutable_reserve()->set_currency(std::move(currency));
  m.mutable_reserve()->set_list(list.raw());
  return m;
}

inline pb::ProjectMessage batch_opened(const entity_ref& batch = a_batch,
                                       std::uint32_t members = 10) {
  pb::ProjectMessage m;
  assign(*m.mutable_batch_opened()->mutable_batch(), batch);
  m.mutable_batch_opened()->set_members(members);
  m.mutable_batch_opened()->set_upload(an_upload.id.raw());
  m.mutable_batch_opened()->set_index(3);
  return m;
}

inline pb::ProjectMessage ask_places(std::uint32_t batches, const uuid& upload = an_upload.id) {
  pb::ProjectMessage m;
  m.mutable_ask_places()->set_upload(upload.raw());
  m.mutable_ask_places()->set_batches(batches);
  return m;
}

inline pb::ProjectMessage reservation_ended() {
  pb::ProjectMessage m;
  assign(*m.mutable_reservation_ended()->mutable_disbursement(), a_disbursement);
  return m;
}

inline wire::Credit credit_to(const uuid& account, std::int64_t amount_minor,
                              std::string currency = "NPR", std::string why = "unspent") {
  wire::Credit c;
  c.set_purpose(derive_id({"a credit", why}).raw());
  c.set_debit_account(a_reserve.raw());
  c.set_credit_account(account.raw());
  c.set_amount_minor(amount_minor);
  c.set_currency(std::move(currency));
  assign(*c.mutable_from(), a_disbursement);
  c.set_why(std::move(why));
  return c;
}

inline uuid outside_account() {
  return account_of(project_self, "outside", "NPR");
}
inline uuid budget_account() {
  return account_of(project_self, "budget", "NPR");
}

} // namespace rahat::testing
