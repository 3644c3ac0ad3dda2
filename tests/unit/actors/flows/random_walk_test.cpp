#include "tests/unit/actors/flows/world.hpp"

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

namespace rahat::testing {

namespace {

constexpr std::uint64_t seeds = 120;
constexpr int deeds = 400;
constexpr std::int64_t minute_us = 60'000'000;

bool has_ended(const pb::DisbursementState& d) {
  return d.status() == pb::DISBURSEMENT_CANCELLED || d.status() == pb::DISBURSEMENT_COMPLETED;
}

/// People who do anything at any time, sensible or not. Refusals are fine; books that do not add
/// up, a message that nobody can take and a disbursement that never ends are not.
class crowd {
public:
  explicit crowd(std::uint64_t seed) : world_(seed) {
    world_.activate();
    world_.fund(30'000);
    world_.upload_register(1'005, 3, 0);
    world_.upload_register(20, 50, 10'000);
    world_.play().run();
    vendors_ = {world_.register_vendor(), world_.register_vendor()};
    world_.verify(vendors_[0]);
    disbursements_ = {world_.create_disbursement(), world_.create_disbursement(2)};
    settlements_ = {world_.open_settlement(vendors_[0])};
  }

  void wander() {
    for (int i = 0; i < deeds; ++i) {
      do_anything();
      world_.stir();
    }
  }

  /// Lets everything that was begun come to its end.
  void wind_down() {
    world_.play().run();
    world_.activate();
    for (auto& b : world_.batches())
      world_.thaw(b);
    for (auto& d : disbursements_)
      world_.cancel(d);
    world_.play().run();
  }

  void check() {
    for (auto& d : disbursements_) {
      auto now = world_.disbursement_state(d);
      EXPECT_TRUE(has_ended(now)) << to_string(now.status());
      EXPECT_EQ(now.reserve_minor(), 0);
      EXPECT_FALSE(disbursement::has_work(now));
    }
    for (auto& b : world_.batches())
      EXPECT_EQ(world_.play().state_of<batch>(b.id).locks_size(), 0);
    for (auto& s : settlements_)
      EXPECT_EQ(world_.settlement_state(s).waiting_request(), "") << "a client waits for ever";
    EXPECT_EQ(world_.play().state_of<project>(world_.project().id).reservations_size(), 0);
    world_.check_at_rest();
  }

  /// How often each event has happened, as "kind.event".
  void count(std::map<std::string, int>& events) const {
    count_of<disbursement>(disbursements_, events);
    count_of<vendor>(vendors_, events);
    count_of<settlement>(settlements_, events);
  }

private:
  template <class D>
  void count_of(const std::vector<entity_ref>& of, std::map<std::string, int>& events) const {
    for (auto& one : of)
      for (auto& bytes : world_.play().events_of(one)) {
        decision d;
        d.record(detail::parsed<typename D::event>(bytes, "unreadable"));
        ++events[one.kind + "." + d.events()[0].type];
      }
  }

  template <class T>
  const T& any(const std::vector<T>& of) {
    return of[world_.draw(of.size())];
  }

  void do_anything() {
    for (auto& d : disbursements_)
      if (world_.disbursement_state(d).status() == pb::DISBURSEMENT_PAYING && world_.draw(3) == 0)
        return interfere(d);
    switch (world_.draw(10)) {
      case 0: return change_the_frame();
      case 1:
      case 2: return settle();
      case 3:
      case 4: return spend();
      default: return disburse();
    }
  }

  /// Paying lasts a few steps only, and is when most can go wrong.
  void interfere(const entity_ref& d) {
    switch (world_.draw(4)) {
      case 0: return world_.suspend();
      case 1: return cancel_seldom(d);
      default: world_.pause(d); return;
    }
  }

  void disburse() {
    auto& d = any(disbursements_);
    switch (world_.draw(16)) {
      case 0: world_.reject(d); return;
      case 1: world_.pause(d); return;
      case 2: cancel_seldom(d); return;
      case 3:
      case 4:
      case 5: world_.lock(d); return;
      case 6:
      case 7:
      case 8: world_.approve(d); return;
      case 9:
      case 10:
      case 11: world_.pay(d); return;
      default: world_.resume(d); return;
    }
  }

  /// A cancelled one is followed by another.
  void cancel_seldom(const entity_ref& d) {
    if (world_.draw(3) != 0 || !world_.cancel(d).ok() || disbursements_.size() > 12)
      return;
    disbursements_.push_back(world_.create_disbursement());
  }

  void spend() {
    world_.redeem(any(world_.batches()), static_cast<std::uint32_t>(world_.draw(6)), any(vendors_),
                  static_cast<std::int64_t>(world_.draw(4)));
  }

  void settle() {
    auto& s = any(settlements_);
    switch (world_.draw(8)) {
      case 0:
        if (settlements_.size() < 12)
          settlements_.push_back(world_.open_settlement(any(vendors_)));
        return;
      case 1:
      case 2: world_.request(s); return;
      case 3:
      case 4: world_.approve_settlement(s); return;
      case 5: world_.withdraw(s); return;
      default: world_.pay_settlement(s); return;
    }
  }

  void change_the_frame() {
    switch (world_.draw(10)) {
      case 0: world_.suspend(); return;
      case 1:
      case 2: world_.activate(); return;
      case 3: world_.suspend(any(vendors_)); return;
      case 4: world_.reactivate(any(vendors_)); return;
      case 5: world_.verify(any(vendors_)); return;
      case 6: world_.freeze(any(world_.batches())); return;
      case 7: world_.thaw(any(world_.batches())); return;
      case 8: world_.play().advance(3 * minute_us); return;
      default: world_.fund(1'000); return;
    }
  }

  world world_;
  std::vector<entity_ref> disbursements_;
  std::vector<entity_ref> vendors_;
  std::vector<entity_ref> settlements_;
};

} // namespace

TEST(random_walk, conserves_the_books_and_ends_what_it_began) {
  std::map<std::string, int> events;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    crowd people(seed);
    people.wander();
    people.wind_down();
    people.check();
    people.count(events);
  }
  // A walk that never gets anywhere would prove nothing: each of these must have happened.
  for (auto* event : {"disbursement.lock_asked",
                      "disbursement.lock_spread",
                      "disbursement.lock_failed",
                      "disbursement.batch_answered",
                      "disbursement.locked",
                      "disbursement.approved",
                      "disbursement.rejected",
                      "disbursement.reserve_asked",
                      "disbursement.reserve_failed",
                      "disbursement.reserved",
                      "disbursement.chunk_decided",
                      "disbursement.chunk_arrived",
                      "disbursement.project_known",
                      "disbursement.paused",
                      "disbursement.resumed",
                      "disbursement.cancel_asked",
                      "disbursement.unspent_returned",
                      "disbursement.cancelled",
                      "disbursement.completed",
                      "vendor.status_changed",
                      "vendor.asker_added",
                      "vendor.account_opened",
                      "vendor.receipt",
                      "vendor.quoted",
                      "vendor.released",
                      "vendor.paid_out",
                      "settlement.project_known",
                      "settlement.requested",
                      "settlement.quoted",
                      "settlement.refused",
                      "settlement.approved",
                      "settlement.pay_asked",
                      "settlement.paid"})
    EXPECT_GT(events[event], 0) << event << " never happened";
}

} // namespace rahat::testing
