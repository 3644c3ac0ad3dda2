#include "persistence/chain/chain.hpp"
#include "persistence/chain/marks.hpp"

#include <gtest/gtest.h>

namespace rahat::chain {

namespace {

using namespace std::string_literals;

std::string be(std::uint64_t v, int size) {
  std::string out;
  for (int i = size - 1; i >= 0; --i)
    out += static_cast<char>(v >> (8 * i));
  return out;
}

transfer some_transfer() {
  transfer t;
  t.purpose = derive_id({"purpose"});
  t.debit = derive_id({"debit"});
  t.credit = derive_id({"credit"});
  t.amount_minor = 1'234;
  t.currency = "NPR";
  t.credit_owner = {"batch", derive_id({"owner"})};
  return t;
}

link some_link(std::string_view payload) {
  return {513, 0x0102030405060708, 9,  "probe", derive_id({"e"}),
          11,  "probe.noted",      -5, "सीता",  payload};
}

TEST(chain, a_link_has_the_frozen_layout) {
  const auto t = some_transfer();
  wire::Commit commit;
  commit.add_events("event");
  add_marks(commit, {t}, {});
  const auto payload = commit.SerializeAsString();
  const auto row_digest = sha256(be(0, 4) + t.credit.raw() + be(1'234, 8));
  const auto marks = t.purpose.raw() + t.debit.raw() + "NPR" + be(0, 4) + be(0, 4) + be(1, 4) +
                     be(1'234, 8) + std::string{view(row_digest)} + be(5, 4) + "batch" +
                     t.credit_owner.id.raw();
  EXPECT_EQ(transfers_digest(payload), sha256(marks));

  const auto before = sha256("before");
  const auto bytes = std::string{view(before)} + "rahat-chain-1" + be(513, 2) +
                     be(0x0102030405060708, 8) + be(9, 8) + be(5, 4) + "probe" +
                     derive_id({"e"}).raw() + be(11, 8) + be(11, 4) + "probe.noted" +
                     std::string(7, '\xff') + "\xfb" + be(12, 4) + "सीता" +
                     std::string{view(sha256(payload))} + std::string{view(sha256(marks))};
  EXPECT_EQ(next(before, some_link(payload)), sha256(bytes));
}

TEST(chain, a_payload_without_marks_has_the_digest_of_nothing) {
  wire::Commit commit;
  commit.add_events(std::string(300, '\0'));
  commit.mutable_request()->set_payload_hash(7);
  EXPECT_EQ(transfers_digest(commit.SerializeAsString()), sha256(""));
  EXPECT_EQ(transfers_digest(""), sha256(""));
  EXPECT_EQ(transfers_digest("\xff\xff\xff"), sha256(""));
  EXPECT_EQ(transfers_digest("\x32\x7f short"s), sha256("")) << "a mark that is cut off";
}

TEST(chain, every_field_counts) {
  const auto base = next(genesis, some_link("p"));
  auto changed = [&](auto change) {
    auto row = some_link("p");
    change(row);
    return next(genesis, row) != base;
  };
  EXPECT_TRUE(changed([](link& r) { ++r.shard; }));
  EXPECT_TRUE(changed([](link& r) { ++r.position; }));
  EXPECT_TRUE(changed([](link& r) { ++r.epoch; }));
  EXPECT_TRUE(changed([](link& r) { r.kind = "prob"; }));
  EXPECT_TRUE(changed([](link& r) { r.entity = derive_id({"f"}); }));
  EXPECT_TRUE(changed([](link& r) { ++r.seq; }));
  EXPECT_TRUE(changed([](link& r) { r.type = "probe.note"; }));
  EXPECT_TRUE(changed([](link& r) { ++r.at_us; }));
  EXPECT_TRUE(changed([](link& r) { r.principal = "x"; }));
  EXPECT_TRUE(changed([](link& r) { r.payload = "q"; }));
  EXPECT_NE(next(sha256("x"), some_link("p")), base);
}

TEST(marks, must_be_those_of_the_commit) {
  commit c;
  c.transfers = {some_transfer()};
  wire::Commit payload;
  EXPECT_NE(marks_fault(c), "") << "no mark for the transfer";
  add_marks(payload, c.transfers, {});
  c.payload = payload.SerializeAsString();
  EXPECT_EQ(marks_fault(c), "");
  c.transfers[0].credit = derive_id({"another wallet"});
  EXPECT_NE(marks_fault(c), "");
  c.transfers.clear();
  EXPECT_NE(marks_fault(c), "") << "a mark without a transfer";
}

TEST(marks, a_payment_is_marked_with_its_approved_digest) {
  line_payment p;
  p.disbursement = derive_id({"list"});
  p.first = 1'000;
  p.last = 1'999;
  p.count = 1'000;
  p.sum_minor = 5;
  p.currency = "NPR";
  p.lines_digest = sha256("rows");
  const auto mark = mark_of(p);
  EXPECT_EQ(mark.first_line(), 1'000u);
  EXPECT_EQ(mark.digest(), view(sha256("rows")));
  commit c;
  c.payments = {p};
  wire::Commit payload;
  add_marks(payload, {}, c.payments);
  c.payload = payload.SerializeAsString();
  EXPECT_EQ(marks_fault(c), "");
  c.payments[0].lines_digest = sha256("other rows");
  EXPECT_NE(marks_fault(c), "");
}

} // namespace

} // namespace rahat::chain
