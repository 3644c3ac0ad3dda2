#include "actors/batch/steps.hpp"
#include "actors/shared/text.hpp"
#include "actors/vendor/vendor.pb.h"
#include "runtime/decider/account.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace rahat::batch_steps {

namespace {

/// A redemption as it is judged: at once, or after it has waited.
struct attempt {
  const pb::Redeem& ask;
  const std::string& by;
  uuid request;
};

enum class knowledge { good, bad, unknown };

entity_ref project_of(const batch::state& now) {
  return {"project", uuid::from_raw(now.enrol().project())};
}

entity_ref vendor_of(const pb::Redeem& ask) {
  return {"vendor", uuid::from_raw(ask.vendor())};
}

std::optional<std::uint32_t> member_of(const batch::state& now, const uuid& self,
                                       const std::string& wallet) {
  auto index = wallet_index(self, uuid::from_raw(wallet));
  if (!index || *index >= batch::members(now))
    return std::nullopt;
  return index;
}

const pb::Code* code_of(const batch::state& now, std::uint32_t member) {
  for (auto& code : now.codes())
    if (code.member() == member)
      return &code;
  return nullptr;
}

/// Something told holds for five minutes.
bool is_fresh(std::int64_t at_us, const context& ctx) {
  return ctx.now_us - at_us <= batch::fact_holds_us;
}

knowledge of_project(const batch::state& now, const context& ctx) {
  if (!now.has_project() || !is_fresh(now.project().at_us(), ctx))
    return knowledge::unknown;
  return now.project().status() == pb::PROJECT_ACTIVE ? knowledge::good : knowledge::bad;
}

knowledge of_vendor(const batch::state& now, const std::string& vendor, const context& ctx) {
  for (auto& fact : now.vendors())
    if (fact.vendor() == vendor) {
      if (!is_fresh(fact.at_us(), ctx))
        return knowledge::unknown;
      return fact.status() == pb::VENDOR_VERIFIED ? knowledge::good : knowledge::bad;
    }
  return knowledge::unknown;
}

/// A vendor's own id counts for that vendor only: two tills may both begin with 1.
uuid purpose_for(const attempt& a, const context& ctx) {
  auto id = a.ask.client_id().empty() ? a.request.raw() : a.ask.vendor() + a.ask.client_id();
  return purpose_of(ctx.self, "redemption", id);
}

/// From the newest, because it is retries that come again. Whole ids are compared only when their
/// first halves are equal.
bool was_redeemed(const batch::state& now, const std::string& purpose) {
  auto& ids = now.redemption_ids();
  must_hold(purpose.size() == 16, "the key of a transfer has 16 bytes");
  std::uint64_t wanted = 0;
  std::memcpy(&wanted, purpose.data(), sizeof wanted);
  for (auto at = ids.size(); at >= 16; at -= 16) {
    std::uint64_t half = 0;
    std::memcpy(&half, ids.data() + at - 16, sizeof half);
    if (half == wanted && ids.compare(at - 16, 16, purpose) == 0)
      return true;
  }
  return false;
}

/// What can be said of a redemption without knowing its vendor and project.
std::optional<error> fault_in(const batch::state& now, const attempt& a, const context& ctx) {
  if (auto closed = closed_to_people(now))
    return closed;
  if (!member_of(now, ctx.self.id, a.ask.member()))
    return reject(errc::not_found, "there is no such member in this batch", "member");
  if (uuid::from_raw(a.ask.vendor()).is_nil())
    return reject(errc::invalid_input, "name the vendor", "vendor");
  if (a.ask.amount_minor() < 1)
    return reject(errc::invalid_input, "the amount must be at least 1 minor unit", "amount_minor");
  if (a.ask.currency() != now.enrol().currency())
    return reject(errc::wrong_currency, "this wallet's money is in " + now.enrol().currency(),
                  "currency");
  if (!is_text(a.ask.client_id(), batch::max_client_id))
    return reject(errc::invalid_input, "the id may have at most 100 characters", "id");
  if (was_redeemed(now, purpose_for(a, ctx).raw()))
    return reject(errc::already_exists,
                  "a redemption with this id was made at this vendor: it is not made again", "id");
  if (now.redemption_ids().size() >= 16 * batch::max_redemptions)
    return reject(errc::limit_exceeded, "this batch has made all of its 200000 redemptions");
  if (of_project(now, ctx) == knowledge::bad)
    return reject(errc::project_not_active, "the project is not active: nothing can be bought now");
  if (of_vendor(now, a.ask.vendor(), ctx) == knowledge::bad)
    return reject(errc::vendor_not_active,
                  "the vendor is unknown, not verified or suspended: buy at another one", "vendor");
  return std::nullopt;
}

/// A code that is spent or too old tells nobody whether a guess was right.
std::optional<error> fault_in(const pb::Code* code, const context& ctx) {
  if (code == nullptr)
    return reject(errc::wrong_code, "no code is open for this member: issue one", "code");
  if (code->tries() >= batch::code_tries)
    return reject(errc::code_exhausted, "the code was entered wrongly 5 times: issue a new one",
                  "code");
  if (ctx.now_us > code->expires_us())
    return reject(errc::code_expired, "the code is older than 10 minutes: issue a new one", "code");
  return std::nullopt;
}

error wrong_code(const pb::Code& code) {
  auto left = batch::code_tries - code.tries() - 1;
  return reject(errc::wrong_code,
                left == 0 ? "the code is wrong and was the last of 5 tries: issue a new one"
                          : "the code is wrong, " + std::to_string(left) +
                                (left == 1 ? " try" : " tries") + " left",
                "code");
}

pb::BatchAnswer answer_for(const batch::state& now, const attempt& a, std::uint32_t member,
                           const context& ctx) {
  pb::BatchAnswer answer;
  auto& done = *answer.mutable_redemption();
  done.set_id(purpose_for(a, ctx).raw());
  done.set_project(now.enrol().project());
  done.set_batch(ctx.self.id.raw());
  done.set_member(a.ask.member());
  done.set_vendor(a.ask.vendor());
  done.set_amount_minor(a.ask.amount_minor());
  done.set_currency(a.ask.currency());
  done.set_balance_minor(now.balances(static_cast<int>(member)) - a.ask.amount_minor());
  done.set_at_us(ctx.now_us);
  done.set_by(a.by);
  return answer;
}

/// Wallet -> the vendor's account for this project. Nothing is asked any more.
decision settle(const batch::state& now, const attempt& a, std::uint32_t member,
                const pb::BatchAnswer& answer, const context& ctx) {
  transfer t;
  t.purpose = purpose_for(a, ctx);
  t.debit = wallet_of(ctx.self.id, member);
  t.credit = account_of(vendor_of(a.ask), "vendor", now.enrol().project() + a.ask.currency());
  t.amount_minor = a.ask.amount_minor();
  t.currency = a.ask.currency();
  t.credit_owner = vendor_of(a.ask);
  t.why = "redemption";
  t.reference = t.debit.str();

  pb::BatchEvent event;
  auto& redeemed = *event.mutable_redeemed();
  redeemed.set_purpose(t.purpose.raw());
  redeemed.set_member(member);
  redeemed.set_vendor(a.ask.vendor());
  redeemed.set_amount_minor(a.ask.amount_minor());
  redeemed.set_by(a.by);
  redeemed.set_at_us(ctx.now_us);
  if (ctx.request_id != a.request)
    redeemed.set_request(a.request.raw()); // its answer had waited

  query_keys keys;
  keys.project = uuid::from_raw(now.enrol().project());
  keys.parent = t.credit_owner.id;
  keys.status = "done";
  keys.created_us = ctx.now_us;
  decision d;
  d.record(event);
  d.publish("redemption", t.purpose, keys, answer);
  d.move(std::move(t));
  return d;
}

struct verdict {
  std::optional<error> refusal;
  bool counts_a_try = false;
};

/// The code, then the money: whoever has no code learns nothing about the balance.
verdict judge(const batch::state& now, const attempt& a, const context& ctx) {
  if (auto fault = fault_in(now, a, ctx))
    return {fault};
  auto member = *member_of(now, ctx.self.id, a.ask.member());
  auto* code = code_of(now, member);
  if (auto fault = fault_in(code, ctx))
    return {fault};
  if (code->code_hash() != a.ask.code_hash())
    return {wrong_code(*code), true};
  if (now.balances(static_cast<int>(member)) < a.ask.amount_minor())
    return {reject(errc::insufficient_funds,
                   "the wallet holds " + std::to_string(now.balances(static_cast<int>(member))) +
                       " minor units of " + a.ask.currency(),
                   "amount_minor")};
  return {};
}

void record_failed_try(decision& d, std::uint32_t member) {
  pb::BatchEvent event;
  event.mutable_code_failed()->set_member(member);
  d.record(event);
}

/// Asks those whose status is not known, each once.
void ask_around(decision& d, const batch::state& now, const pb::Redeem& ask, const context& ctx) {
  if (of_project(now, ctx) == knowledge::unknown && !now.project_asked()) {
    pb::BatchEvent event;
    assign(*event.mutable_vendor_asked(), project_of(now));
    d.record(event);
    d.tell(project_of(now), ask_project(ctx));
  }
  auto& asked = now.vendors_asked();
  if (of_vendor(now, ask.vendor(), ctx) == knowledge::unknown &&
      std::find(asked.begin(), asked.end(), ask.vendor()) == asked.end()) {
    pb::BatchEvent event;
    assign(*event.mutable_vendor_asked(), vendor_of(ask));
    d.record(event);
    pb::VendorMessage question;
    assign(*question.mutable_ask()->mutable_asker(), ctx.self);
    question.mutable_ask()->set_project(now.enrol().project());
    question.mutable_ask()->set_currency(now.enrol().currency());
    d.tell(vendor_of(ask), question);
  }
}

bool knows_all(const batch::state& now, const pb::Redeem& ask, const context& ctx) {
  return of_project(now, ctx) != knowledge::unknown &&
         of_vendor(now, ask.vendor(), ctx) != knowledge::unknown;
}

result wait(const batch::state& now, const attempt& a, const context& ctx) {
  if (now.waiting_size() >= batch::max_waiting)
    return reject(errc::overloaded, "too many redemptions wait for their vendors: try again soon");
  pb::BatchEvent event;
  auto& waits = *event.mutable_redemption_waits();
  waits.set_request(a.request.raw());
  *waits.mutable_ask() = a.ask;
  waits.set_by(a.by);
  waits.set_at_us(ctx.now_us);
  decision d;
  ask_around(d, now, a.ask, ctx);
  d.record(event);
  d.postpone();
  return d;
}

decision refuse_waiting(const batch::state& now, const attempt& a, const verdict& why,
                        const context& ctx) {
  decision d;
  if (why.counts_a_try)
    record_failed_try(d, *member_of(now, ctx.self.id, a.ask.member()));
  pb::BatchEvent event;
  event.mutable_redemption_refused()->set_request(a.request.raw());
  event.mutable_redemption_refused()->set_reason(why.refusal->message);
  event.mutable_redemption_refused()->set_error(static_cast<std::uint32_t>(why.refusal->code));
  d.record(event);
  d.refuse_request(a.request, *why.refusal);
  return d;
}

} // namespace

std::optional<error> closed_to_people(const batch::state& now) {
  if (now.status() == pb::BATCH_NONE)
    return reject(errc::not_found, "there is no such batch");
  if (now.status() == pb::BATCH_ENROLLING)
    return reject(errc::wrong_status, "the batch's register is not accepted yet");
  if (now.status() == pb::BATCH_FROZEN)
    return reject(errc::batch_frozen, "the batch is frozen: " + now.frozen_reason());
  return std::nullopt;
}

result issue_code(const batch::state& now, const pb::IssueCode& ask, const context& ctx) {
  if (auto closed = closed_to_people(now))
    return *closed;
  auto member = member_of(now, ctx.self.id, ask.member());
  if (!member)
    return reject(errc::not_found, "there is no such member in this batch", "member");
  if (ask.code_hash().size() != sizeof(digest))
    return reject(errc::invalid_input, "a code's hash has 32 bytes", "code_hash");

  pb::BatchEvent event;
  auto& issued = *event.mutable_code_issued();
  issued.set_member(*member);
  issued.set_code_hash(ask.code_hash());
  issued.set_expires_us(ctx.now_us + batch::code_lifetime_us);
  issued.set_by(ctx.who.user);
  pb::BatchAnswer answer;
  answer.mutable_code()->set_member(ask.member());
  answer.mutable_code()->set_expires_us(issued.expires_us());
  answer.mutable_code()->set_tries_left(batch::code_tries);
  decision d;
  d.record(event);
  d.answer(answer).status(201);
  return d;
}

result redeem(const batch::state& now, const pb::Redeem& ask, const context& ctx) {
  attempt a{ask, ctx.who.user, ctx.request_id};
  if (auto fault = fault_in(now, a, ctx))
    return *fault;
  if (!knows_all(now, ask, ctx))
    return wait(now, a, ctx);

  auto why = judge(now, a, ctx);
  auto member = *member_of(now, ctx.self.id, ask.member());
  if (why.refusal && !why.counts_a_try)
    return *why.refusal;
  if (why.refusal) {
    decision d;
    record_failed_try(d, member);
    d.refuse(*why.refusal);
    return d;
  }
  auto answer = answer_for(now, a, member, ctx);
  auto d = settle(now, a, member, answer, ctx);
  d.answer(answer).status(201);
  return d;
}

int next_waiting(const batch::state& now) {
  auto& asked = now.vendors_asked();
  for (int i = 0; i < now.waiting_size() && !now.project_asked(); ++i)
    if (std::find(asked.begin(), asked.end(), now.waiting(i).ask().vendor()) == asked.end())
      return i;
  return now.waiting_size();
}

/// Own work: the oldest redemption that has heard from everybody is decided like a new one.
decision decide_waiting(const batch::state& now, const context& ctx) {
  auto& waiting = now.waiting(next_waiting(now));
  attempt a{waiting.ask(), waiting.by(), uuid::from_raw(waiting.request())};
  verdict why{fault_in(now, a, ctx)};
  if (!why.refusal && !knows_all(now, a.ask, ctx)) {
    decision d; // what was told has grown old in the meantime
    ask_around(d, now, a.ask, ctx);
    return d;
  }
  if (!why.refusal)
    why = judge(now, a, ctx);
  if (why.refusal)
    return refuse_waiting(now, a, why, ctx);
  auto member = *member_of(now, ctx.self.id, a.ask.member());
  auto answer = answer_for(now, a, member, ctx);
  auto d = settle(now, a, member, answer, ctx);
  d.answer_request(a.request, answer, 201);
  return d;
}

/// Facts are as old as their arrival here: clocks of other nodes are not compared with ours.
decision project_known(const batch::state& now, const pb::ProjectFact& fact, const context& ctx) {
  if (now.status() == pb::BATCH_NONE)
    return {};
  pb::BatchEvent event;
  *event.mutable_project_known() = fact;
  event.mutable_project_known()->clear_batches();
  event.mutable_project_known()->clear_list();
  event.mutable_project_known()->set_at_us(ctx.now_us);
  decision d;
  d.record(event);
  return d;
}

decision vendor_known(const batch::state& now, const pb::VendorFact& fact, const context& ctx) {
  if (now.status() == pb::BATCH_NONE)
    return {};
  pb::BatchEvent event;
  *event.mutable_vendor_known() = fact;
  event.mutable_vendor_known()->set_at_us(ctx.now_us);
  decision d;
  d.record(event);
  return d;
}

} // namespace rahat::batch_steps
