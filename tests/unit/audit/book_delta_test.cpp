#include "persistence/audit/book_delta.hpp"

#include "persistence/audit/errors.hpp"
#include "persistence/chain/marks.hpp"
#include "runtime/decider/account.hpp"

#include <gtest/gtest.h>
#include <limits>

namespace {

using namespace rahat;
using namespace rahat::audit;

const entity_ref payer{"batch", derive_id({"payer"})};
const entity_ref shop{"vendor", derive_id({"shop"})};
const entity_ref other{"vendor", derive_id({"other"})};

transfer to(const entity_ref& owner, std::int64_t amount_minor, std::string currency = "NPR") {
  transfer t;
  t.amount_minor = amount_minor;
  t.currency = std::move(currency);
  t.credit_owner = owner;
  return t;
}

journal_row row(const entity_ref& who, const std::vector<transfer>& transfers,
                const std::vector<std::pair<entity_ref, std::uint64_t>>& outbox) {
  wire::Commit c;
  chain::add_marks(c, transfers, {});
  for (auto& [target, n] : outbox) {
    auto& mark = *c.add_outbox();
    assign(*mark.mutable_target(), target);
    mark.set_n(n);
  }
  journal_row out;
  out.entity = who;
  out.payload = c.SerializeAsString();
  return out;
}

journal_row applies(const entity_ref& target, const entity_ref& source, std::uint64_t n) {
  wire::Commit c;
  assign(*c.mutable_inbox()->mutable_source(), source);
  c.mutable_inbox()->set_n(n);
  journal_row out;
  out.entity = target;
  out.payload = c.SerializeAsString();
  return out;
}

TEST(book_delta, a_transfer_counts_for_both_owners) {
  book_delta d;
  const auto made = d.add(row(payer, {to(shop, 30), to(other, 5)}, {{shop, 1}, {other, 1}}));
  EXPECT_EQ(made.count, 2u);
  EXPECT_EQ(made.sum_minor, 35);
  EXPECT_EQ(d.sums().at({payer, "NPR"}), -35);
  EXPECT_EQ(d.sums().at({shop, "NPR"}), 30);
  EXPECT_EQ(d.sums().at({other, "NPR"}), 5);
}

TEST(book_delta, one_between_own_accounts_changes_nothing_and_tells_nobody) {
  book_delta d;
  d.add(row(payer, {to(payer, 30)}, {{payer, 9}}));
  EXPECT_EQ(d.sums().at({payer, "NPR"}), 0);
  EXPECT_TRUE(d.told().empty());
}

TEST(book_delta, currencies_are_kept_apart) {
  book_delta d;
  d.add(row(payer, {to(shop, 30), to(shop, 4, "USD")}, {{shop, 1}, {shop, 2}}));
  EXPECT_EQ(d.sums().at({shop, "NPR"}), 30);
  EXPECT_EQ(d.sums().at({shop, "USD"}), 4);
  EXPECT_EQ((d.told().at({payer, shop}).at(2).currency), "USD");
}

TEST(book_delta, the_kth_transfer_to_an_owner_goes_with_its_kth_message) {
  book_delta d;
  d.add(row(payer, {to(shop, 30), to(other, 5), to(shop, 7)},
            {{shop, 11}, {other, 3}, {shop, 12}, {shop, 13}})); // 13 is a message without money
  const auto& notices = d.told().at({payer, shop});
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_EQ(notices.at(11).amount_minor, 30);
  EXPECT_EQ(notices.at(12).amount_minor, 7);
  EXPECT_EQ((d.told().at({payer, other}).at(3).amount_minor), 5);
}

TEST(book_delta, money_without_a_message_is_never_on_its_way) {
  book_delta d;
  d.add(row(payer, {to(shop, 30)}, {}));
  EXPECT_TRUE(d.told().empty());
  EXPECT_EQ(d.sums().at({shop, "NPR"}), 30); // so that the shop's books cannot agree
}

TEST(book_delta, applied_notices_are_settled_whatever_comes_first) {
  const auto sent = row(payer, {to(shop, 30), to(shop, 7)}, {{shop, 1}, {shop, 2}});
  const auto applied = applies(shop, payer, 1);
  for (const auto& rows : {std::vector{sent, applied}, std::vector{applied, sent}}) {
    book_delta d;
    for (auto& r : rows)
      d.add(r);
    d.settle({});
    ASSERT_EQ(d.told().size(), 1u);
    EXPECT_EQ(d.told().at({payer, shop}).size(), 1u);
    EXPECT_EQ((d.told().at({payer, shop}).at(2).amount_minor), 7);
  }
}

TEST(book_delta, what_was_applied_in_rows_folded_before_counts) {
  book_delta d;
  d.add(row(payer, {to(shop, 30), to(shop, 7)}, {{shop, 1}, {shop, 2}}));
  d.settle({{{payer, shop}, 2}});
  EXPECT_TRUE(d.told().empty());
}

TEST(book_delta, lanes_and_kinds_are_not_confused) {
  const entity_ref twin{"project", shop.id};
  book_delta d;
  d.add(row(payer, {to(shop, 30)}, {{twin, 4}, {shop, 1}}));
  d.add(applies(twin, payer, 4));
  d.settle({});
  EXPECT_EQ((d.told().at({payer, shop}).at(1).amount_minor), 30);
}

TEST(book_delta, sums_that_do_not_fit_are_an_error) {
  book_delta d;
  d.add(row(payer, {to(shop, std::numeric_limits<std::int64_t>::max())}, {{shop, 1}}));
  EXPECT_THROW(d.add(row(payer, {to(shop, 1)}, {{shop, 2}})), audit_error);
}

TEST(book_delta, a_payload_that_cannot_be_read_is_an_error_that_names_it) {
  journal_row bad;
  bad.shard = 7;
  bad.position = 9;
  bad.payload = "\xff\xff";
  try {
    book_delta{}.add(bad);
    FAIL();
  } catch (const audit_error& e) {
    EXPECT_NE(std::string{e.what()}.find("shard 7 position 9"), std::string::npos);
  }
}

} // namespace
