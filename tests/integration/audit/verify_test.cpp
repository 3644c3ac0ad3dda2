#include "persistence/audit/pg_auditor.hpp"

#include "runtime/decider/account.hpp"
#include "tests/integration/audit/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

/// Who changes the past with all the database's rights is named (R16).
namespace {

using namespace rahat;
using testing::HasSubstr;

std::string text(std::uint64_t n) {
  return std::to_string(n);
}

class audit_verify : public testing::Test {
protected:
  void SetUp() override { w.live(); }

  verify_report verify() { return pg_auditor{w.options()}.verify({}); }

  std::string row(test::world::place at) {
    return " WHERE shard = " + text(at.shard) + " AND position = " + text(at.position);
  }

  audit_finding expect_found(test::world::place at, const std::string& what) {
    const auto report = verify();
    EXPECT_FALSE(report.ok);
    if (!report.first_bad) {
      ADD_FAILURE() << "nothing was found";
      return {};
    }
    EXPECT_EQ(report.first_bad->shard, at.shard) << report.first_bad->what;
    EXPECT_EQ(report.first_bad->position, at.position) << report.first_bad->what;
    EXPECT_THAT(report.first_bad->what, HasSubstr(what));
    return *report.first_bad;
  }

  /// Three commits of one entity in the middle of its shard's chain; the second one.
  test::world::place three_notes() {
    w.note(w.vendor);
    const auto middle = w.note(w.vendor);
    w.note(w.vendor);
    return middle;
  }

  test::world w;
};

TEST_F(audit_verify, what_happened_is_valid) {
  const auto report = verify();
  EXPECT_TRUE(report.ok) << report.first_bad->what;
  EXPECT_EQ(text(report.rows), w.count("journal"));
  EXPECT_EQ(text(report.transfers), w.count("transfer"));
}

TEST_F(audit_verify, progress_is_told) {
  std::uint64_t last = 0;
  const auto report = pg_auditor{w.options()}.verify([&](std::uint64_t rows) { last = rows; });
  EXPECT_EQ(last, report.rows);
}

TEST_F(audit_verify, an_altered_payload_is_named) {
  const auto at = three_notes();
  w.sql("UPDATE journal SET payload = set_byte(payload, 3, 65)" + row(at));
  const auto found = expect_found(at, "altered");
  EXPECT_EQ(found.entity, w.vendor);
  EXPECT_EQ(found.type, "vendor.noted");
}

TEST_F(audit_verify, every_other_column_is_covered) {
  const auto at = three_notes();
  for (const char* change :
       {"principal = 'somebody else'", "at_us = at_us + 1", "type = 'vendor.x'",
        "epoch = epoch + 1", "hash = decode(repeat('11', 32), 'hex')", "kind = 'vendos'",
        "entity = gen_random_uuid()", "seq = seq + 100"}) {
    w.sql("CREATE TABLE before AS SELECT * FROM journal" + row(at));
    w.sql(std::string{"UPDATE journal SET "} + change + row(at));
    SCOPED_TRACE(change);
    expect_found(at, "altered");
    w.sql("DELETE FROM journal" + row(at) +
          "; INSERT INTO journal SELECT * FROM before;"
          " DROP TABLE before");
  }
  EXPECT_TRUE(verify().ok);
}

TEST_F(audit_verify, a_row_removed_from_the_middle_is_named_with_its_entity) {
  const auto at = three_notes();
  const auto gone = w.sql("DELETE FROM journal" + row(at) + " RETURNING seq");
  const auto seq = gone[0][0].as<std::string>();
  const auto found = expect_found(at, "removed");
  EXPECT_EQ(found.entity, w.vendor);
  EXPECT_EQ(found.type, "");
  EXPECT_THAT(found.what, HasSubstr("commit " + seq));
}

TEST_F(audit_verify, a_row_that_was_closed_up_over_is_found) {
  const auto at = three_notes();
  w.sql("DELETE FROM journal" + row(at));
  w.sql("UPDATE journal SET position = position - 1 WHERE shard = " + text(at.shard) +
        " AND position > " + text(at.position));
  expect_found(at, "altered");
}

TEST_F(audit_verify, a_removed_commit_with_a_rewritten_chain_leaves_a_gap_in_its_entity) {
  const auto at = three_notes();
  w.sql("DELETE FROM journal" + row(at));
  w.sql("UPDATE journal SET position = position - 1 WHERE shard = " + text(at.shard) +
        " AND position > " + text(at.position));
  w.rehash(at.shard, at.position);
  const auto found = expect_found(at, "before it was removed");
  EXPECT_EQ(found.entity, w.vendor);
}

TEST_F(audit_verify, a_cut_tail_is_named_by_the_head) {
  const auto at = three_notes();
  w.sql("DELETE FROM journal WHERE shard = " + text(at.shard) + " AND position > " +
        text(at.position));
  expect_found({at.shard, at.position + 1}, "cut off");
}

TEST_F(audit_verify, a_head_that_was_set_back_is_found) {
  const auto at = three_notes();
  w.sql("UPDATE shard SET head_position = " + text(at.position) +
        " WHERE shard = " + text(at.shard));
  expect_found({at.shard, at.position + 1}, "behind the shard's head");
}

TEST_F(audit_verify, an_altered_head_and_a_missing_shard_are_found) {
  const auto at = w.note(w.vendor);
  w.sql("UPDATE shard SET head_hash = decode(repeat('11', 32), 'hex') WHERE shard = " +
        text(at.shard));
  expect_found(at, "another hash");
  w.sql("DELETE FROM shard WHERE shard = " + text(at.shard));
  expect_found({at.shard, 0}, "own row was removed");
}

TEST_F(audit_verify, a_row_outside_every_chain_is_found) {
  const auto at = w.note(w.vendor);
  w.sql(
      "INSERT INTO journal SELECT kind, gen_random_uuid(), 1, -1, position, epoch, type, payload,"
      " principal, at_us, hash FROM journal" +
      row(at));
  EXPECT_THAT(verify().first_bad->what, HasSubstr("outside every chain"));
}

class audit_transfers : public audit_verify {
protected:
  std::string of_list(int line) {
    return " WHERE purpose = '" + w.list.str() + "' AND line = " + std::to_string(line);
  }
  std::string of_redemption() { return " WHERE amount_minor = 50 AND line = 0"; }
};

TEST_F(audit_transfers, a_payment_led_to_another_wallet_is_named_with_its_line) {
  w.sql("UPDATE transfer SET credit = '" + wallet_of(w.batch.id, 39).str() + "'" + of_list(7));
  const auto found = expect_found(w.first_chunk, "altered at line 7");
  EXPECT_EQ(found.entity, w.disbursement);
  EXPECT_EQ(found.type, "disbursement.chunk_decided");
}

TEST_F(audit_transfers, two_exchanged_wallets_are_found) {
  w.sql("UPDATE transfer SET credit = CASE line WHEN 3 THEN '" + wallet_of(w.batch.id, 4).str() +
        "'::uuid ELSE '" + wallet_of(w.batch.id, 3).str() + "'::uuid END WHERE purpose = '" +
        w.list.str() + "' AND line IN (3, 4)");
  expect_found(w.first_chunk, "altered at line 3");
}

TEST_F(audit_transfers, an_altered_amount_is_named) {
  w.sql("UPDATE transfer SET amount_minor = amount_minor + 1" + of_list(0));
  expect_found(w.first_chunk, "the amount is");
  w.sql("UPDATE transfer SET amount_minor = amount_minor - 1" + of_list(0));
  w.sql("UPDATE transfer SET amount_minor = 51" + of_redemption());
  const auto found = expect_found(w.redeemed, "the amount is 51 instead of 50");
  EXPECT_EQ(found.entity, w.batch);
}

TEST_F(audit_transfers, money_moved_between_two_lines_is_found) {
  w.sql(
      "UPDATE transfer SET amount_minor = amount_minor + CASE line WHEN 3 THEN 5 ELSE -5 END"
      " WHERE purpose = '" +
      w.list.str() + "' AND line IN (3, 4)");
  expect_found(w.first_chunk, "altered at line 3");
}

TEST_F(audit_transfers, another_debit_currency_or_place_is_found) {
  for (const char* change : {"debit = gen_random_uuid()", "currency = 'USD'"}) {
    w.sql(std::string{"CREATE TABLE before AS SELECT * FROM transfer"} + of_redemption());
    w.sql(std::string{"UPDATE transfer SET "} + change + of_redemption());
    expect_found(w.redeemed, "the debited account or the currency");
    w.sql(
        "UPDATE transfer t SET debit = b.debit, currency = b.currency FROM before b"
        " WHERE t.purpose = b.purpose AND t.line = b.line; DROP TABLE before");
  }
  w.sql("UPDATE transfer SET position = position + 1" + of_redemption());
  expect_found(w.redeemed, "made elsewhere");
}

TEST_F(audit_transfers, a_removed_transfer_is_named) {
  w.sql("DELETE FROM transfer" + of_list(19));
  expect_found(w.first_chunk, "removed: 20 were made, 19 are left");
}

TEST_F(audit_transfers, an_added_transfer_is_named) {
  w.sql(
      "INSERT INTO transfer SELECT gen_random_uuid(), 0, debit, credit, 1, currency, shard,"
      " position FROM transfer" +
      of_redemption());
  const auto found = expect_found(w.redeemed, "was added");
  EXPECT_EQ(found.entity, w.batch);
}

TEST_F(audit_transfers, one_added_at_a_row_that_moved_nothing_or_at_none_is_named) {
  const auto at = w.note(w.vendor);
  w.sql(
      "INSERT INTO transfer VALUES (gen_random_uuid(), 7, gen_random_uuid(), gen_random_uuid(),"
      " 1, 'NPR', " +
      text(at.shard) + ", " + text(at.position) + ")");
  EXPECT_EQ(expect_found(at, "was added").entity, w.vendor);
  w.sql("UPDATE transfer SET position = position + 1 WHERE line = 7 AND amount_minor = 1");
  EXPECT_EQ(expect_found({at.shard, at.position + 1}, "was added").entity, entity_ref{});
  w.sql("UPDATE transfer SET shard = 999 WHERE line = 7 AND amount_minor = 1");
  EXPECT_THAT(verify().first_bad->what, HasSubstr("was added"));
}

TEST_F(audit_transfers, what_stands_before_is_named_first) {
  w.sql("UPDATE transfer SET amount_minor = 51" + of_redemption());
  w.sql("UPDATE journal SET principal = 'x' WHERE shard = " + text(w.redeemed.shard) +
        " AND position = " + text(w.redeemed.position + 1));
  expect_found(w.redeemed, "the amount is");
}

} // namespace
