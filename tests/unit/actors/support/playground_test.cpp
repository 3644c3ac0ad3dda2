#include "tests/unit/actors/support/playground.hpp"

#include "actors/project/project.pb.h"

#include <gtest/gtest.h>

/// A check that never fails checks nothing: here are owners who cheat.
namespace rahat::testing {
namespace {

/// Does what its command's `type` says; its budget is all that it knows.
struct crook {
  static constexpr std::string_view name = "crook";
  static constexpr std::uint32_t evolve_version = 1;
  using state = pb::ProjectState;
  using command = pb::ProjectCommand;
  using message = pb::ProjectMessage;
  using event = pb::ProjectEvent;
  using answer = pb::ProjectAnswer;

  static inline const uuid account = derive_id({"the crook's"});
  static inline const entity_ref self{"crook", derive_id({"crook"})};
  static inline const entity_ref victim{"mute", derive_id({"victim"})};

  static decision change(std::int64_t amount_minor) {
    pb::ProjectEvent event;
    event.mutable_funded()->set_amount_minor(amount_minor);
    decision d;
    d.record(event);
    return d;
  }

  static transfer spend(std::int64_t amount_minor, const std::string& id) {
    transfer t;
    t.purpose = derive_id({id});
    t.debit = account;
    t.credit = derive_id({"the victim's"});
    t.amount_minor = amount_minor;
    t.currency = "NPR";
    t.credit_owner = victim;
    t.why = "spend";
    return t;
  }

  static result decide(const state&, const command& ask, const context&) {
    auto& what = ask.create().type();
    if (what == "open") {
      decision d;
      d.open_account({account, account, {}, "NPR", "budget"});
      return d;
    }
    if (what == "make money")
      return change(5);
    if (what == "pay and keep") {
      decision d = change(0);
      d.move(spend(5, "keep"));
      return d;
    }
    decision d = change(what == "overdraw" ? -50 : -5);
    d.move(spend(what == "overdraw" ? 50 : 5, "pay"));
    return d;
  }
  static decision told(const state&, const message&, const context&) { return {}; }
  static decision credited(const state&, const wire::Credit& credit, const context&) {
    return credit.why() == "forget" ? decision() : change(credit.amount_minor());
  }
  static void evolve(state& now, const event& e) {
    now.set_budget_minor(now.budget_minor() + e.funded().amount_minor());
  }
  static query_keys keys(const state&) { return {}; }
  static std::vector<owned_total> totals(const state& now) { return {{"NPR", now.budget_minor()}}; }
};

class playground_books : public ::testing::Test {
protected:
  playground_books() {
    all_.add_kind<crook>();
    ask("open");
    give("gift");
    all_.run();
  }

  reply ask(const std::string& what) {
    pb::ProjectCommand c;
    c.mutable_create()->set_type(what);
    return all_.ask(crook::self, c, {"maker", "maker"});
  }

  void give(const std::string& why) {
    transfer t;
    t.purpose = derive_id({why});
    t.debit = derive_id({"the victim's"});
    t.credit = crook::account;
    t.amount_minor = 10;
    t.currency = "NPR";
    t.credit_owner = crook::self;
    t.why = why;
    all_.pay(crook::victim, t);
  }

  playground all_;
};

TEST_F(playground_books, follow_honest_money) {
  EXPECT_TRUE(ask("pay").ok());
  all_.run();
  EXPECT_EQ(all_.balance(crook::account), 5);
  EXPECT_EQ(all_.credits_of(crook::victim).size(), 1u);
  all_.check_replay();
}

TEST_F(playground_books, notice_made_money) {
  EXPECT_THROW(ask("make money"), broken_invariant);
}

TEST_F(playground_books, notice_money_spent_and_kept) {
  EXPECT_THROW(ask("pay and keep"), broken_invariant);
}

TEST_F(playground_books, notice_an_overdraft) {
  EXPECT_THROW(ask("overdraw"), broken_invariant);
}

TEST_F(playground_books, notice_a_key_used_twice) {
  ask("pay");
  EXPECT_THROW(ask("pay"), broken_invariant);
}

TEST_F(playground_books, notice_a_forgotten_credit) {
  give("forget");
  EXPECT_THROW(all_.run(), broken_invariant);
}

TEST_F(playground_books, give_a_known_request_its_former_reply) {
  pb::ProjectCommand c;
  c.mutable_create()->set_type("pay");
  auto id = derive_id({"once"});
  all_.ask(crook::self, c, {"maker", "maker"}, id);
  EXPECT_TRUE(all_.ask(crook::self, c, {"maker", "maker"}, id).ok());
  EXPECT_EQ(all_.balance(crook::account), 5);
}

TEST_F(playground_books, keep_the_order_of_each_pair) {
  for (int i = 0; i < 20; ++i) {
    pb::ProjectMessage m;
    m.mutable_batch_opened()->set_members(static_cast<std::uint32_t>(i));
    all_.tell({"mute", derive_id({"a"})}, {"mute", derive_id({"b"})}, m);
  }
  all_.run();
  auto mail = all_.mail_of({"mute", derive_id({"b"})});
  ASSERT_EQ(mail.size(), 20u);
  for (std::size_t i = 0; i < mail.size(); ++i) {
    pb::ProjectMessage m;
    ASSERT_TRUE(m.ParseFromString(mail[i]));
    EXPECT_EQ(m.batch_opened().members(), i);
  }
}

} // namespace
} // namespace rahat::testing
