#include "actors/batch/batch.hpp"
#include "actors/batch/steps.hpp"
#include "actors/shared/suspense.hpp"
#include "runtime/decider/decision.hpp"

#include <algorithm>

namespace rahat {

namespace {

void set_balance(batch::state& now, std::uint32_t member, std::int64_t change_minor) {
  must_hold(member < batch::members(now), "a wallet that the batch does not have was changed");
  auto index = static_cast<int>(member);
  std::int64_t balance = 0;
  must_hold(!__builtin_add_overflow(now.balances(index), change_minor, &balance) && balance >= 0,
            "a wallet was overdrawn");
  now.set_balances(index, balance);
}

auto lock_of(batch::state& now, const std::string& list) {
  auto& locks = *now.mutable_locks();
  auto found = std::find_if(locks.begin(), locks.end(),
                            [&](auto& lock) { return lock.ask().list() == list; });
  must_hold(found != locks.end(), "a pay list that is not locked has changed");
  return found;
}

auto code_of(batch::state& now, std::uint32_t member) {
  auto& codes = *now.mutable_codes();
  return std::find_if(codes.begin(), codes.end(),
                      [&](auto& code) { return code.member() == member; });
}

void no_longer_waits(batch::state& now, const std::string& request) {
  auto& waiting = *now.mutable_waiting();
  auto found =
      std::find_if(waiting.begin(), waiting.end(), [&](auto& w) { return w.request() == request; });
  must_hold(found != waiting.end(), "a redemption that did not wait was decided");
  waiting.erase(found);
}

void evolve_enrol_started(batch::state& now, const pb::EnrolStarted& e) {
  now.set_status(pb::BATCH_ENROLLING);
  *now.mutable_enrol() = e.ask();
  now.set_next_ordinal(e.ask().first());
  now.set_created_us(e.at_us());
}

void evolve_enrolled(batch::state& now, const pb::MembersEnrolled& e) {
  now.mutable_persons()->append(e.persons());
  now.mutable_amounts()->MergeFrom(e.amounts());
  now.mutable_ordinals()->MergeFrom(e.ordinals());
  for (int i = 0; i < e.amounts_size(); ++i)
    now.add_balances(0);
  now.set_next_ordinal(e.next());
  must_hold(now.persons().size() == std::size_t{16} * batch::members(now) &&
                batch::members(now) <= batch::max_members,
            "members and wallets of a batch differ in number");
}

/// As if it had never been asked; money that has no owner stays where it is.
void evolve_dropped(batch::state& now) {
  batch::state rest;
  *rest.mutable_foreign_suspense() = now.foreign_suspense();
  if (now.suspense_minor() != 0)
    hold_in_suspense(*rest.mutable_foreign_suspense(), now.enrol().currency(),
                     now.suspense_minor());
  now = rest;
}

void evolve_lines_locked(batch::state& now, const pb::LinesLocked& e) {
  auto lock = lock_of(now, e.list());
  must_hold(lock->next_chunk() == e.chunk() && !lock->finished(), "a chunk was locked twice");
  lock->set_next_chunk(e.chunk() + 1);
  if (e.count() == 0)
    return;
  lock->set_count(lock->count() + e.count());
  lock->set_sum_minor(lock->sum_minor() + e.sum_minor());
  auto& chunk = *lock->add_chunks();
  chunk.set_chunk(e.chunk());
  chunk.set_first(e.first());
  chunk.set_last(e.last());
  chunk.set_count(e.count());
  chunk.set_sum_minor(e.sum_minor());
  chunk.set_digest(e.digest());
}

void evolve_chunk_paid(batch::state& now, const pb::ChunkPaid& e) {
  auto lock = lock_of(now, e.list());
  lock->set_chunks_paid(lock->chunks_paid() + 1);
  auto first = e.chunk() * batch::chunk_members;
  auto end = std::min(batch::members(now), first + batch::chunk_members);
  for (auto member = first; member < end; ++member) {
    auto amount = batch_steps::amount_of(now, lock->ask(), member);
    set_balance(now, member, amount);
    now.set_credited_minor(now.credited_minor() + amount);
  }
}

void evolve_code_issued(batch::state& now, const pb::CodeIssued& e) {
  auto known = code_of(now, e.member());
  auto* code = known == now.mutable_codes()->end() ? now.add_codes() : &*known;
  code->set_member(e.member());
  code->set_code_hash(e.code_hash());
  code->set_expires_us(e.expires_us());
  code->set_tries(0);
}

void evolve_code_failed(batch::state& now, const pb::CodeFailed& e) {
  auto code = code_of(now, e.member());
  must_hold(code != now.mutable_codes()->end(), "a code that does not exist failed");
  code->set_tries(code->tries() + 1);
}

void evolve_waits(batch::state& now, const pb::RedemptionWaits& e) {
  auto& waiting = *now.add_waiting();
  waiting.set_request(e.request());
  *waiting.mutable_ask() = e.ask();
  waiting.set_by(e.by());
  waiting.set_at_us(e.at_us());
}

void evolve_redeemed(batch::state& now, const pb::Redeemed& e) {
  set_balance(now, e.member(), -e.amount_minor());
  now.set_redeemed_minor(now.redeemed_minor() + e.amount_minor());
  now.mutable_redemption_ids()->append(e.purpose());
  auto code = code_of(now, e.member());
  must_hold(code != now.mutable_codes()->end(), "a redemption was made without a code");
  now.mutable_codes()->erase(code);
  if (!e.request().empty())
    no_longer_waits(now, e.request());
}

void evolve_credited(batch::state& now, const pb::WalletCredited& e) {
  if (e.returned())
    return;
  if (!e.kept()) {
    set_balance(now, e.member(), e.amount_minor());
    now.set_credited_minor(now.credited_minor() + e.amount_minor());
  } else if (now.status() != pb::BATCH_NONE && e.currency() == now.enrol().currency()) {
    now.set_suspense_minor(now.suspense_minor() + e.amount_minor());
  } else {
    hold_in_suspense(*now.mutable_foreign_suspense(), e.currency(), e.amount_minor());
  }
}

void evolve_vendor_known(batch::state& now, const pb::VendorFact& e) {
  auto& asked = *now.mutable_vendors_asked();
  asked.erase(std::remove(asked.begin(), asked.end(), e.vendor()), asked.end());
  auto& vendors = *now.mutable_vendors();
  auto known = std::find_if(vendors.begin(), vendors.end(),
                            [&](auto& fact) { return fact.vendor() == e.vendor(); });
  if (known != vendors.end()) {
    *known = e;
    return;
  }
  if (vendors.size() >= batch::max_vendors)
    vendors.erase(std::min_element(vendors.begin(), vendors.end(),
                                   [](auto& a, auto& b) { return a.at_us() < b.at_us(); }));
  *now.add_vendors() = e;
}

void evolve_asked(batch::state& now, const wire::Entity& e) {
  if (e.kind() == "project")
    now.set_project_asked(true);
  else
    now.add_vendors_asked(e.id());
}

} // namespace

void batch::evolve(state& now, const event& happened) {
  switch (happened.event_case()) {
    case event::kEnrolStarted: return evolve_enrol_started(now, happened.enrol_started());
    case event::kMembersEnrolled: return evolve_enrolled(now, happened.members_enrolled());
    case event::kOpened: now.set_status(pb::BATCH_OPEN); return;
    case event::kDropped: return evolve_dropped(now);
    case event::kFrozen:
      now.set_status(pb::BATCH_FROZEN);
      now.set_frozen_reason(happened.frozen().reason());
      return;
    case event::kThawed:
      now.set_status(pb::BATCH_OPEN);
      now.clear_frozen_reason();
      return;
    case event::kLockStarted:
      *now.add_locks()->mutable_ask() = happened.lock_started().ask();
      return;
    case event::kLockRefused: return;
    case event::kLinesLocked: return evolve_lines_locked(now, happened.lines_locked());
    case event::kLockFinished: {
      auto lock = lock_of(now, happened.lock_finished().list());
      lock->set_finished(true);
      lock->clear_chunks();
      return;
    }
    case event::kUnlocked:
      now.mutable_locks()->erase(lock_of(now, happened.unlocked().list()));
      return;
    case event::kChunkPaid: return evolve_chunk_paid(now, happened.chunk_paid());
    case event::kCodeIssued: return evolve_code_issued(now, happened.code_issued());
    case event::kCodeFailed: return evolve_code_failed(now, happened.code_failed());
    case event::kRedemptionWaits: return evolve_waits(now, happened.redemption_waits());
    case event::kRedeemed: return evolve_redeemed(now, happened.redeemed());
    case event::kRedemptionRefused:
      return no_longer_waits(now, happened.redemption_refused().request());
    case event::kCredited: return evolve_credited(now, happened.credited());
    case event::kProjectKnown:
      *now.mutable_project() = happened.project_known();
      now.set_project_asked(false);
      return;
    case event::kVendorKnown: return evolve_vendor_known(now, happened.vendor_known());
    case event::kVendorAsked: return evolve_asked(now, happened.vendor_asked());
    default: throw broken_invariant("a batch met an event that it does not know");
  }
}

} // namespace rahat
