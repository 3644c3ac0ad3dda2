#include "tests/conformance/suite.hpp"

/// Transfers, pay lists, accounts, staged rows, feeds.
namespace rahat::conformance {

using namespace std::string_literals;

namespace {

transfer transfer_of(const uuid& purpose, std::int64_t amount_minor) {
  transfer t;
  t.purpose = purpose;
  t.debit = derive_id({"from", purpose.raw()});
  t.credit = derive_id({"to", purpose.raw()});
  t.amount_minor = amount_minor;
  t.currency = "NPR";
  t.credit_owner = {"probe", derive_id({"owner", purpose.raw()})};
  return t;
}

std::vector<line_row> some_lines(const uuid& list, std::uint32_t from, std::uint32_t count) {
  std::vector<line_row> rows;
  for (auto no = from; no < from + count; ++no)
    rows.push_back({no, derive_id({"person", list.raw(), std::to_string(no)}),
                    derive_id({"wallet", list.raw(), std::to_string(no)}), 1000 + no});
  return rows;
}

/// The payment of exactly these rows, as it was approved.
line_payment payment_of(const uuid& list, const std::vector<line_row>& rows) {
  line_payment p;
  p.disbursement = list;
  p.first = rows.front().no;
  p.last = rows.back().no;
  p.debit = derive_id({"reserve", list.raw()});
  p.currency = "NPR";
  p.count = static_cast<std::uint32_t>(rows.size());
  for (auto& row : rows)
    p.sum_minor += row.amount_minor;
  p.lines_digest = digest_of(rows);
  p.credit_owner = {"batch", derive_id({"batch", list.raw()})};
  return p;
}

} // namespace

class pay_list {
public:
  pay_list(uuid id, std::uint32_t count) : id(id), rows(some_lines(id, 1, count)) {}

  line_rows inserted() const { return {id, {"batch", derive_id({"batch", id.raw()})}, rows}; }

  const uuid id;
  const std::vector<line_row> rows;
};

TEST_P(store_conformance, a_transfer_is_unique_for_ever) {
  auto payer = start(fresh());
  auto t = transfer_of(fresh_id(), 250);
  auto c = next(payer);
  c.transfers = {t};
  land(payer, c);

  auto thief = start(fresh()); // another entity, later, with a purpose that is taken
  c = next(thief);
  c.transfers = {t};
  EXPECT_EQ(refusal_of(thief, c), commit_failure::rejected);
  EXPECT_TRUE(history(thief.entity).empty());

  under_test().reopen();
  auto again = start(payer.entity);
  c = next(again);
  c.transfers = {t};
  EXPECT_EQ(refusal_of(again, c), commit_failure::rejected);
  EXPECT_EQ(history(payer.entity).size(), 1u);
}

TEST_P(store_conformance, two_transfers_of_one_purpose_in_one_commit_are_rejected) {
  auto h = start(fresh());
  auto c = next(h);
  auto t = transfer_of(fresh_id(), 250);
  c.transfers = {t, t};
  EXPECT_EQ(refusal_of(h, c), commit_failure::rejected);
}

TEST_P(store_conformance, a_transfer_moves_a_positive_amount) {
  for (std::int64_t amount_minor : {0, -1}) {
    auto h = start(fresh());
    auto c = next(h);
    c.transfers = {transfer_of(fresh_id(), amount_minor)};
    EXPECT_EQ(refusal_of(h, c), commit_failure::rejected) << amount_minor;
  }
  auto h = start(fresh());
  auto c = next(h);
  c.transfers = {transfer_of(fresh_id(), std::numeric_limits<std::int64_t>::max())};
  land(h, c);
}

TEST_P(store_conformance, money_that_the_journal_does_not_mark_is_rejected) {
  auto h = start(fresh());
  auto c = next(h);
  c.transfers = {transfer_of(fresh_id(), 250)};
  touch(c.shard);
  store().write(c, h.ear); // without `send`, which adds the marks
  ASSERT_TRUE(wait_heard(h, 1));
  ASSERT_TRUE(h.ear->all()[0].refusal);
  EXPECT_EQ(h.ear->all()[0].refusal->why, commit_failure::rejected);
}

TEST_P(store_conformance, locked_lines_are_read_in_order_and_pages) {
  auto h = start(fresh());
  pay_list list{fresh_id(), 10};
  auto c = next(h);
  c.lines = {list.inserted()};
  land(h, c);
  auto all = lines_of(list.id);
  ASSERT_EQ(all.size(), 10u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].no, list.rows[i].no);
    EXPECT_EQ(all[i].person, list.rows[i].person);
    EXPECT_EQ(all[i].wallet, list.rows[i].wallet);
    EXPECT_EQ(all[i].batch, list.inserted().batch.id);
    EXPECT_EQ(all[i].amount_minor, list.rows[i].amount_minor);
  }
  auto some =
      must(ask<std::vector<stored_line>>([&](auto done) { queries().lines(list.id, 4, 3, done); }));
  ASSERT_EQ(some.size(), 3u);
  EXPECT_EQ(some[0].no, 5u);
  EXPECT_TRUE(lines_of(fresh_id()).empty());
}

TEST_P(store_conformance, a_line_is_locked_once) {
  auto h = start(fresh());
  pay_list list{fresh_id(), 3};
  auto c = next(h);
  c.lines = {list.inserted()};
  land(h, c);
  c = next(h);
  c.lines = {{list.id, {"batch", fresh_id()}, {list.rows[1]}}};
  EXPECT_EQ(refusal_of(h, c), commit_failure::rejected);
}

TEST_P(store_conformance, a_chunk_is_paid_once) {
  auto batch = start(fresh("batch"));
  auto payer = start(fresh("disbursement"));
  pay_list list{fresh_id(), 6};
  auto c = next(batch);
  c.lines = {list.inserted()};
  land(batch, c);
  auto chunk = payment_of(list.id, {list.rows.begin(), list.rows.begin() + 4});
  c = next(payer);
  c.payments = {chunk};
  land(payer, c);
  c = next(payer);
  c.payments = {payment_of(list.id, {list.rows.begin() + 4, list.rows.end()})};
  land(payer, c);
  c = next(payer);
  c.payments = {chunk};
  EXPECT_EQ(refusal_of(payer, c), commit_failure::rejected);
  EXPECT_EQ(history(payer.entity).size(), 2u);
}

TEST_P(store_conformance, a_chunk_that_is_not_the_approved_one_is_rejected) {
  auto batch = start(fresh("batch"));
  pay_list list{fresh_id(), 4};
  auto c = next(batch);
  c.lines = {list.inserted()};
  land(batch, c);
  auto approved = payment_of(list.id, list.rows);

  auto short_of_one = approved;
  ++short_of_one.count;
  auto too_cheap = approved;
  --too_cheap.sum_minor;
  auto other_digest = approved;
  other_digest.lines_digest[31] ^= 1;
  auto missing = approved;
  missing.last += 1;
  missing.first = missing.last;
  auto other_list = approved;
  other_list.disbursement = fresh_id();
  for (auto& wrong : {short_of_one, too_cheap, other_digest, missing, other_list}) {
    auto payer = start(fresh("disbursement"));
    auto pay = next(payer);
    pay.payments = {wrong};
    EXPECT_EQ(refusal_of(payer, pay), commit_failure::rejected);
    EXPECT_TRUE(history(payer.entity).empty());
  }
  auto payer = start(fresh("disbursement"));
  auto pay = next(payer);
  pay.payments = {approved};
  land(payer, pay);
}

TEST_P(store_conformance, lines_that_somebody_altered_are_not_paid) {
  auto batch = start(fresh("batch"));
  pay_list list{fresh_id(), 4};
  auto c = next(batch);
  c.lines = {list.inserted()};
  land(batch, c);
  // Count and sum stay as approved: only the digest can tell.
  under_test().alter_line(list.id, list.rows[0].no, list.rows[0].amount_minor + 500);
  under_test().alter_line(list.id, list.rows[1].no, list.rows[1].amount_minor - 500);
  auto payer = start(fresh("disbursement"));
  c = next(payer);
  c.payments = {payment_of(list.id, list.rows)};
  EXPECT_EQ(refusal_of(payer, c), commit_failure::rejected);
  EXPECT_TRUE(history(payer.entity).empty());
}

TEST_P(store_conformance, lines_are_locked_and_paid_in_one_batch_of_many) {
  constexpr std::uint32_t chunks = 8;
  constexpr std::uint32_t chunk_lines = 100;
  auto batch = start(fresh("batch"));
  auto payer = start(fresh("disbursement"));
  auto list = fresh_id();
  for (std::uint32_t k = 0; k < chunks; ++k) {
    auto c = next(batch);
    c.lines = {{list, batch.entity, some_lines(list, 1 + k * chunk_lines, chunk_lines)}};
    send(batch, c);
  }
  ASSERT_TRUE(wait_heard(batch, chunks));
  for (std::uint32_t k = 0; k < chunks; ++k) {
    auto c = next(payer);
    c.payments = {payment_of(list, some_lines(list, 1 + k * chunk_lines, chunk_lines))};
    send(payer, c);
  }
  ASSERT_TRUE(wait_heard(payer, chunks));
  for (auto& heard : payer.ear->all())
    EXPECT_FALSE(heard.refusal) << heard.refusal->message;
  EXPECT_EQ(lines_of(list).size(), chunks * chunk_lines);
}

TEST_P(store_conformance, an_account_is_opened_once) {
  auto h = start(fresh());
  account_range range{fresh_id(), {}, fresh_id(), "NPR", "budget"};
  range.last = range.first;
  auto c = next(h);
  c.accounts = {range};
  c.totals = {{"NPR", 0}};
  land(h, c);
  c = next(h);
  c.totals = {{"NPR", -5}};
  land(h, c);
  c = next(h);
  c.accounts = {range};
  EXPECT_EQ(refusal_of(h, c), commit_failure::rejected);
}

// ---- staged rows and feeds ------------------------------------------------------------------

TEST_P(store_conformance, staged_rows_are_read_by_ordinal) {
  auto h = start(fresh("upload"));
  auto c = next(h);
  staged_rows part;
  part.upload = h.entity.id;
  for (std::uint32_t i = 0; i < 5; ++i)
    part.rows.push_back(
        {i, i * 2 + 1, derive_id({"p", std::to_string(i)}), i, "\0sealed\xff"s, "key"});
  part.errors = {{2, "phone", "too short: नौ अंक चाहिए"}, {4, "name", "is missing"}};
  c.staged = {part};
  land(h, c);
  auto found = must(ask<std::vector<stored_row>>([&](auto done) {
    queries().rows(h.entity.id, {4, 1, 99}, done);
  }));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].ordinal, 1u);
  EXPECT_EQ(found[0].row, 3u);
  EXPECT_EQ(found[0].person, part.rows[1].person);
  EXPECT_EQ(found[0].amount_minor, 1);
  EXPECT_EQ(found[0].sealed, part.rows[1].sealed);
  EXPECT_EQ(found[0].wrapped_key, "key");
  EXPECT_EQ(found[1].ordinal, 4u);

  auto errors = [&](std::int64_t after, std::uint32_t limit) {
    return must(ask<std::vector<stored_error>>(
        [&](auto done) { queries().upload_errors(h.entity.id, after, limit, done); }));
  };
  ASSERT_EQ(errors(-1, 10).size(), 2u);
  EXPECT_EQ(errors(-1, 10)[0].message, part.errors[0].message);
  EXPECT_EQ(errors(-1, 10)[0].field, "phone");
  EXPECT_EQ(errors(-1, 1)[0].row, 2u);
  ASSERT_EQ(errors(2, 10).size(), 1u);
  EXPECT_EQ(errors(2, 10)[0].row, 4u);

  c = next(h);
  part.errors.clear();
  part.rows.resize(1);
  c.staged = {part};
  EXPECT_EQ(refusal_of(h, c), commit_failure::rejected) << "a row was staged twice";
}

TEST_P(store_conformance, feeds_give_rows_and_count_all) {
  auto h = start(fresh("upload"));
  auto upload = h.entity.id;
  auto person = [&](int i) { return derive_id({"fp", upload.raw(), std::to_string(i)}); };
  // Ordinals 0..9; persons 0 1 2 3 4 0 1 2 3 0: five rows have an earlier one.
  int persons[] = {0, 1, 2, 3, 4, 0, 1, 2, 3, 0};
  staged_rows part;
  part.upload = upload;
  for (std::uint32_t i = 0; i < 10; ++i)
    part.rows.push_back({i, i + 1, person(persons[i]), 100 + i, "s", "k"});
  auto c = next(h);
  c.staged = {part};
  land(h, c);

  feed_request what;
  what.kind = feed_request::what::upload_rows;
  what.id = upload;
  what.first = 2;
  what.last = 6;
  what.limit = 3;
  auto f = feed(what);
  EXPECT_EQ(f.total(), 5u);
  ASSERT_EQ(f.rows_size(), 3);
  EXPECT_EQ(f.rows(0).ordinal(), 2u);
  EXPECT_EQ(f.rows(0).row(), 3u);
  EXPECT_EQ(f.rows(0).person(), person(2).raw());
  EXPECT_EQ(f.rows(0).amount_minor(), 102);
  EXPECT_EQ(f.rows(2).ordinal(), 4u);

  what = {};
  what.kind = feed_request::what::upload_duplicates;
  what.id = upload;
  f = feed(what);
  EXPECT_EQ(f.total(), 5u);
  ASSERT_EQ(f.rows_size(), 5);
  EXPECT_EQ(f.rows(0).ordinal(), 5u);
  EXPECT_EQ(f.rows(0).row(), 6u);
  EXPECT_EQ(f.rows(4).ordinal(), 9u);
  what.limit = 2;
  f = feed(what);
  EXPECT_EQ(f.total(), 5u);
  EXPECT_EQ(f.rows_size(), 2);
}

TEST_P(store_conformance, a_person_in_two_batches_is_a_line_duplicate) {
  auto a = start(fresh("batch"));
  auto b = start(fresh("batch"));
  auto list = fresh_id();
  auto rows = some_lines(list, 1, 3);
  auto c = next(a);
  c.lines = {{list, a.entity, rows}};
  land(a, c);
  auto more = some_lines(list, 4, 2);
  more[1].person = rows[0].person;
  c = next(b);
  c.lines = {{list, b.entity, more}};
  land(b, c);
  feed_request what;
  what.kind = feed_request::what::line_duplicates;
  what.id = list;
  auto f = feed(what);
  EXPECT_EQ(f.total(), 1u);
  ASSERT_EQ(f.rows_size(), 1);
  EXPECT_EQ(f.rows(0).ordinal(), 5u);
  EXPECT_EQ(f.rows(0).person(), rows[0].person.raw());
  what.id = fresh_id();
  EXPECT_EQ(feed(what).total(), 0u);
}

} // namespace rahat::conformance
