#include "actors/batch/batch.hpp"
#include "actors/disbursement/disbursement.pb.h"
#include "actors/project/project.hpp"
#include "actors/upload/upload.hpp"
#include "actors/vendor/vendor.pb.h"
#include "tests/unit/actors/batch/fixture.hpp"
#include "tests/unit/actors/support/playground.hpp"

#include <gtest/gtest.h>

/// A year in the life of a batch, drawn from a seed: pay lists, redemptions, suspensions, stray
/// credits, in every order. The playground checks the books after each commit.
namespace rahat::testing {
namespace {

constexpr std::uint32_t households = 1'203;

struct seen {
  std::size_t redemptions = 0;
  std::size_t waited = 0;
  std::size_t years_with_paid_lines = 0;
};

class year {
public:
  explicit year(std::uint64_t seed) : random_(seed * 7'919), all_(seed) {
    all_.add_kind<project>();
    all_.add_kind<upload>();
    all_.add_kind<batch>();
    self_ = {"batch", upload::batch_id(its_upload.id, 0)};
    set_up_project();
    upload_households();
  }

  void pass() {
    for (int i = 0; i < 600; ++i) {
      something();
      while (draw(3) != 0 && all_.step()) {
      }
    }
    do {
      hear_disbursement();
      hear_vendors();
    } while (all_.run() > 0);
  }

  void check(seen& all) {
    auto state = now();
    for (int i = 0; i < state.balances_size(); ++i) {
      EXPECT_GE(state.balances(i), 0);
      EXPECT_EQ(state.balances(i),
                all_.balance(wallet_of(self_.id, static_cast<std::uint32_t>(i))));
    }
    EXPECT_EQ(state.waiting_size(), 0);
    for (auto& request : pending_)
      EXPECT_FALSE(all_.reply_to(self_, request).pending);
    EXPECT_EQ(all_.published().size(), state.redemption_ids().size() / 16);
    all_.check_replay();
    all.redemptions += all_.published().size();
    all.waited += pending_.size();
    all.years_with_paid_lines += state.credited_minor() > 20'000;
  }

private:
  std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  void ask_project(const std::function<void(pb::ProjectCommand&)>& fill) {
    pb::ProjectCommand c;
    fill(c);
    all_.ask(its_project, c, maker_);
  }

  void set_up_project() {
    ask_project([](auto& c) {
      c.mutable_create()->set_name("Floods");
      c.mutable_create()->set_currency("NPR");
    });
    ask_project([](auto& c) { c.mutable_activate(); });
    ask_project([](auto& c) {
      c.mutable_fund()->set_amount_minor(5'000'000);
      c.mutable_fund()->set_currency("NPR");
    });
  }

  void upload_households() {
    pb::UploadCommand open;
    open.mutable_open()->set_project(its_project.id.raw());
    all_.ask(its_upload, open, maker_);
    all_.run();
    for (std::uint32_t number = 0; number < 2; ++number) {
      pb::UploadCommand rows;
      rows.mutable_stage()->set_chunk(number);
      for (auto i = number * 1'000; i < std::min(households, (number + 1) * 1'000); ++i) {
        auto& row = *rows.mutable_stage()->add_rows();
        row.set_row(i + 1);
        row.set_person(derive_id({"person", std::to_string(i)}).raw());
        row.set_amount_minor(i % 5 == 0 ? 0 : i);
      }
      ASSERT_TRUE(all_.ask(its_upload, rows, maker_).ok());
    }
    pb::UploadCommand close;
    close.mutable_close()->set_chunks(2);
    close.mutable_close()->set_content_digest(hash_of("content"));
    ASSERT_TRUE(all_.ask(its_upload, close, maker_).ok());
    all_.run();
    ASSERT_EQ(all_.state_of<batch>(self_.id).status(), pb::BATCH_OPEN);
  }

  pb::BatchState now() const { return all_.state_of<batch>(self_.id); }

  // The disbursement, for whom the test speaks: lock, reserve, pay chunk by chunk, unlock.
  void lock_list() {
    auto list = derive_id({"list", std::to_string(++lists_)});
    all_.tell(its_disbursement, self_, lock(list, draw(2) == 0 ? 0 : 1 + draw(300)));
  }

  void hear_disbursement() {
    auto mail = all_.mail_of(its_disbursement);
    for (; heard_ < mail.size(); ++heard_) {
      pb::DisbursementMessage m;
      ASSERT_TRUE(m.ParseFromString(mail[heard_]));
      if (m.has_batch_locked() && m.batch_locked().count() > 0)
        reserve_for(m.batch_locked());
    }
    auto credits = all_.credits_of(its_disbursement);
    for (; credited_ < credits.size(); ++credited_)
      if (credits[credited_].why() == "reserve")
        reserved_.insert(credits[credited_].reference());
  }

  void reserve_for(const pb::BatchLocked& answer) {
    pb::ProjectMessage m;
    auto& ask = *m.mutable_reserve();
    assign(*ask.mutable_disbursement(), its_disbursement);
    ask.set_account(reserve_account_.raw());
    ask.set_amount_minor(answer.sum_minor());
    ask.set_currency("NPR");
    ask.set_list(answer.list());
    all_.tell(its_disbursement, its_project, m);
    to_pay_[hex(answer.list())] = answer;
  }

  void pay_a_chunk() {
    for (auto& name : reserved_) {
      auto& answer = to_pay_.at(name);
      if (answer.chunks().empty())
        continue;
      auto chunk = answer.chunks(answer.chunks_size() - 1);
      answer.mutable_chunks()->RemoveLast();
      line_payment payment;
      payment.disbursement = uuid::from_raw(answer.list());
      payment.first = chunk.first();
      payment.last = chunk.last();
      payment.debit = reserve_account_;
      payment.currency = "NPR";
      payment.count = chunk.count();
      payment.sum_minor = chunk.sum_minor();
      std::copy(chunk.digest().begin(), chunk.digest().end(), payment.lines_digest.begin());
      payment.credit_owner = self_;
      all_.pay_chunk(its_disbursement, payment, pay(chunk, uuid::from_raw(answer.list())));
      if (answer.chunks().empty())
        all_.tell(its_disbursement, self_, unlock(uuid::from_raw(answer.list())));
      return;
    }
  }

  // Two vendors, for whom the test speaks as well.
  void hear_vendors() {
    for (auto& vendor : vendors_) {
      auto asked = all_.mail_of(vendor).size();
      if (asked > answered_[vendor]) {
        all_.tell(vendor, self_, vendor_is(status_of(vendor), vendor));
        answered_[vendor] = asked;
      }
    }
  }

  pb::VendorStatus status_of(const entity_ref& vendor) {
    return suspended_.contains(vendor) ? pb::VENDOR_SUSPENDED : pb::VENDOR_VERIFIED;
  }

  void flip_vendor() {
    auto& vendor = vendors_[draw(2)];
    if (!suspended_.erase(vendor))
      suspended_.insert(vendor);
    if (answered_[vendor] > 0)
      all_.tell(vendor, self_, vendor_is(status_of(vendor), vendor));
  }

  uuid some_member() { return wallet_of(self_.id, static_cast<std::uint32_t>(draw(12))); }

  void buy() {
    auto who = some_member();
    if (draw(3) != 0)
      all_.ask(self_, issue(who), maker_);
    auto id = draw(5) == 0 ? "again" : "no " + std::to_string(++purchases_);
    auto reply = all_.ask(self_,
                          redeem(1 + static_cast<std::int64_t>(draw(200)),
                                 draw(6) == 0 ? "0000" : "4711", id, who, vendors_[draw(2)]),
                          maker_);
    if (reply.pending)
      pending_.push_back(all_.last_request());
  }

  void stray_credit() {
    transfer t;
    t.purpose = derive_id({"stray", std::to_string(++purchases_)});
    t.debit = derive_id({"a stranger's account"});
    t.credit = draw(2) == 0 ? some_member() : derive_id({"nowhere"});
    t.amount_minor = 1 + static_cast<std::int64_t>(draw(50));
    t.currency = draw(4) == 0 ? "USD" : "NPR";
    t.credit_owner = self_;
    t.why = draw(3) == 0 ? "return" : "gift";
    all_.pay(stranger_, t);
  }

  void something() {
    switch (draw(16)) {
      case 0: lock_list(); break;
      case 1:
      case 2: pay_a_chunk(); break;
      case 3: flip_vendor(); break;
      case 4: stray_credit(); break;
      case 5: all_.advance(static_cast<std::int64_t>(draw(200'000'000))); break;
      case 6: all_.ask(self_, freeze(), maker_); break;
      case 7:
      case 8: all_.ask(self_, thaw(), maker_); break;
      case 9: ask_project([](auto& c) { c.mutable_suspend()->set_reason("why"); }); break;
      case 10: ask_project([](auto& c) { c.mutable_activate(); }); break;
      default: buy();
    }
    hear_disbursement();
    hear_vendors();
  }

  std::mt19937_64 random_;
  playground all_;
  entity_ref self_;
  const principal maker_{"maker", "maker"};
  const uuid reserve_account_ = account_of(its_disbursement, "reserve");
  const entity_ref stranger_{"stranger", derive_id({"stranger"})};
  const std::vector<entity_ref> vendors_{{"vendor", derive_id({"v1"})},
                                         {"vendor", derive_id({"v2"})}};
  std::set<entity_ref> suspended_;
  std::map<entity_ref, std::size_t> answered_;
  std::set<std::string> reserved_;
  std::map<std::string, pb::BatchLocked> to_pay_;
  std::vector<uuid> pending_;
  std::size_t heard_ = 0;
  std::size_t credited_ = 0;
  int lists_ = 0;
  int purchases_ = 0;
};

TEST(year, ends_with_exact_wallets_and_everybody_answered) {
  seen all;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    year one(seed);
    ASSERT_NO_FATAL_FAILURE(one.pass());
    one.check(all);
  }
  // A workload that never redeems would prove nothing.
  EXPECT_GT(all.redemptions, 100u);
  EXPECT_GT(all.waited, 20u);
  EXPECT_GT(all.years_with_paid_lines, 6u);
}

} // namespace
} // namespace rahat::testing
