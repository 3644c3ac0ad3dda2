#include "persistence/audit/heads_file.hpp"

#include "persistence/audit/errors.hpp"
#include "persistence/audit/pg_auditor.hpp"
#include "persistence/memory/hand_clock.hpp"
#include "tests/integration/audit/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <utility>

/// Heads outside the database find what a chain inside it cannot: cut and rewritten tails (R16).
namespace {

using namespace rahat;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string text(std::uint64_t n) {
  return std::to_string(n);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> out;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

void write_lines(const fs::path& file, const std::vector<std::string>& lines) {
  std::ofstream out{file, std::ios::trunc};
  for (auto& line : lines)
    out << line << '\n';
}

class audit_heads : public testing::Test {
protected:
  void SetUp() override {
    how = w.options();
    log = how.folder / "heads.log";
    w.live();
  }

  verify_report verify() { return pg_auditor{how}.verify({}); }

  void expect_found(test::world::place at, const std::string& what) {
    const auto report = verify();
    ASSERT_TRUE(report.first_bad) << "nothing was found";
    EXPECT_FALSE(report.ok);
    EXPECT_EQ(report.first_bad->shard, at.shard) << report.first_bad->what;
    EXPECT_EQ(report.first_bad->position, at.position) << report.first_bad->what;
    EXPECT_THAT(report.first_bad->what, HasSubstr(what));
  }

  void expect_said(const std::string& what) {
    const auto report = verify();
    ASSERT_TRUE(report.first_bad) << "nothing was found";
    EXPECT_THAT(report.first_bad->what, HasSubstr(what));
  }

  test::world w;
  audit_options how;
  fs::path log;
};

TEST_F(audit_heads, every_shard_that_moved_is_signed_once) {
  pg_auditor audit{how};
  const auto shards = w.sql("SELECT count(DISTINCT shard) FROM journal")[0][0].as<std::uint64_t>();
  EXPECT_EQ(audit.sign_now(), shards);
  EXPECT_EQ(audit.sign_now(), 0u);
  w.note(w.vendor);
  EXPECT_EQ(audit.sign_now(), 1u);
  EXPECT_EQ(lines_of(log).size(), 2u);
  const auto report = verify();
  EXPECT_TRUE(report.ok) << report.first_bad->what;
  EXPECT_EQ(report.signed_heads, shards + 1);
}

TEST_F(audit_heads, the_key_is_private_and_made_once) {
  pg_auditor{how}.sign_now();
  struct stat is {};
  ASSERT_EQ(stat(how.key.c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777, 0600u);
  w.note(w.vendor);
  pg_auditor{how}.sign_now(); // another process
  EXPECT_TRUE(verify().ok);
  fs::permissions(how.key, fs::perms::group_read, fs::perm_options::add);
  EXPECT_THROW(pg_auditor{how}.sign_now(), audit_error);
}

TEST_F(audit_heads, a_lost_key_is_not_replaced_in_silence) {
  pg_auditor{how}.sign_now();
  fs::remove(how.key);
  pg_auditor audit{how};
  EXPECT_THROW(audit.start(), audit_error);
}

TEST_F(audit_heads, a_tail_that_was_cut_off_together_with_its_head_is_found) {
  w.note(w.vendor);
  const auto kept = w.note(w.vendor);
  w.note(w.vendor);
  w.note(w.vendor);
  pg_auditor{how}.sign_now();
  w.sql("DELETE FROM journal WHERE shard = " + text(kept.shard) + " AND position > " +
        text(kept.position));
  w.rehash(kept.shard, kept.position + 1); // sets the head back
  expect_found({kept.shard, kept.position + 1}, "cut off");
}

TEST_F(audit_heads, a_tail_rewritten_with_new_hashes_is_found) {
  pg_auditor audit{how};
  audit.sign_now();
  const auto at = w.note(w.vendor);
  audit.sign_now();
  w.note(w.vendor);
  w.sql("UPDATE journal SET principal = 'another' WHERE shard = " + text(at.shard) +
        " AND position = " + text(at.position));
  w.rehash(at.shard, at.position);
  expect_found(at, "computed anew");
  audit.sign_now(); // the new heads are signed as well: the old ones still tell
  expect_found(at, "computed anew");
}

TEST_F(audit_heads, a_rewritten_start_is_found_whatever_stands_behind) {
  pg_auditor{how}.sign_now();
  const auto shard = shard_of(w.batch);
  w.sql("UPDATE journal SET principal = 'another' WHERE shard = " + text(shard) +
        " AND position = 1");
  w.rehash(shard, 1);
  expect_found({shard, 1}, "computed anew");
}

TEST_F(audit_heads, the_file_itself_cannot_be_altered) {
  pg_auditor audit{how};
  audit.sign_now();
  for (int i = 0; i < 2; ++i) {
    w.note(w.vendor);
    audit.sign_now();
  }
  const auto good = lines_of(log);
  ASSERT_EQ(good.size(), 3u);
  auto forged = good;
  forged[1].replace(forged[1].find("\"heads\":[[") + 10, 1, "0");
  write_lines(log, forged);
  expect_said("signature is not valid");
  write_lines(log, {good[0], good[2]});
  expect_said("a line was removed");
  write_lines(log, {good[1], good[2]});
  expect_said("a line was removed");
  write_lines(log, {good[0], "nonsense", good[2]});
  expect_said("a line was removed");
  write_lines(log, {good[0], good[1], "nonsense"});
  expect_said("cannot be read");
  write_lines(log, good);
  EXPECT_TRUE(verify().ok);
}

TEST_F(audit_heads, a_signature_of_another_key_is_refused) {
  auto other = how;
  other.folder = how.folder.parent_path() / "other";
  other.key = how.key.parent_path() / "other.pem";
  pg_auditor{how}.sign_now();
  pg_auditor{other}.sign_now();
  fs::copy_file(other.folder / "heads.log", log, fs::copy_options::overwrite_existing);
  expect_said("which heads.pub does not hold");
}

TEST_F(audit_heads, a_line_torn_by_a_crash_is_no_fault) {
  pg_auditor audit{how};
  audit.sign_now();
  std::ofstream{log, std::ios::app} << "{\"at_us\":17,\"node\":\"ab";
  EXPECT_TRUE(verify().ok);
  w.note(w.vendor);
  audit.sign_now();
  EXPECT_EQ(lines_of(log).size(), 3u);
  const auto report = verify();
  EXPECT_TRUE(report.ok) << report.first_bad->what;
}

TEST_F(audit_heads, a_head_signed_while_the_check_runs_is_no_fault) {
  pg_auditor audit{how};
  audit.sign_now();
  bool done = false;
  const auto report = audit.verify([&](std::uint64_t) {
    if (std::exchange(done, true))
      return;
    w.note(w.vendor); // behind the check's snapshot
    audit.sign_now();
  });
  EXPECT_TRUE(done);
  EXPECT_TRUE(report.ok) << report.first_bad->what;
}

TEST_F(audit_heads, rows_that_nobody_signs_are_told) {
  how.unsigned_limit = std::chrono::hours{1};
  const auto report = verify(); // the world's rows are older
  ASSERT_TRUE(report.first_bad);
  EXPECT_THAT(report.first_bad->what, HasSubstr("never"));
  pg_auditor{how}.sign_now();
  EXPECT_TRUE(verify().ok);
}

/// Waits for what the auditor's threads tell.
class listening_probe final : public audit_probe {
public:
  void heads_signed(std::uint64_t heads, std::int64_t) override {
    std::lock_guard guard{mutex_};
    heads_ += heads;
    ++signings_;
    rung_.notify_all();
  }
  void books_compared(const books_report& report) override {
    std::lock_guard guard{mutex_};
    transfers_ = report.transfers;
    rung_.notify_all();
  }

  bool wait(const std::function<bool()>& condition) {
    std::unique_lock guard{mutex_};
    return rung_.wait_for(guard, std::chrono::seconds{20}, condition);
  }

  std::uint64_t heads_ = 0;
  std::uint64_t signings_ = 0;
  std::uint64_t transfers_ = 0;

private:
  std::mutex mutex_;
  std::condition_variable rung_;
};

TEST_F(audit_heads, threads_sign_and_follow) {
  listening_probe probe;
  how.probe = &probe;
  how.sign_interval = std::chrono::milliseconds{5};
  how.fold_interval = std::chrono::milliseconds{5};
  how.recount_hour = -1;
  pg_auditor audit{how};
  audit.start();
  const auto transfers = w.sql("SELECT count(*) FROM transfer")[0][0].as<std::uint64_t>();
  EXPECT_TRUE(probe.wait([&] { return probe.transfers_ == transfers && probe.signings_ > 2; }));
  w.redeem(5, 10);
  EXPECT_TRUE(probe.wait([&] { return probe.transfers_ == transfers + 1; }));
}

TEST_F(audit_heads, are_signed_at_start_and_once_more_at_the_end) {
  how.sign_interval = std::chrono::hours{1};
  pg_auditor node{how};
  node.start();
  EXPECT_EQ(lines_of(log).size(), 1u);
  const auto at = w.note(w.vendor);
  node.stop();
  ASSERT_EQ(lines_of(log).size(), 2u);
  const auto last = audit::parse_heads_line(lines_of(log)[1]);
  ASSERT_TRUE(last);
  ASSERT_EQ(last->heads.size(), 1u);
  EXPECT_EQ(last->heads[0].shard, at.shard);
  EXPECT_EQ(last->heads[0].position, at.position);
}

/// Each node signs all shards into a file of its own, as long as it runs: one that was away has a
/// gap, one that came later has no beginning. Each file proves what it names.
TEST_F(audit_heads, each_nodes_file_proves_by_itself_whatever_it_missed) {
  auto of_another = how;
  of_another.node = derive_id({"another node of a test"});
  of_another.folder = how.folder.parent_path() / "another";
  of_another.key = how.key.parent_path() / "another.pem";
  for (auto* each : {&how, &of_another})
    each->unsigned_limit = std::chrono::hours(1);
  pg_auditor{how}.sign_now();
  w.note(w.vendor);
  {
    pg_auditor later{of_another}; // joins now
    later.sign_now();
    for (int i = 0; i < 3; ++i) { // while the first is away
      w.note(w.vendor);
      later.sign_now();
    }
  }
  const auto at = w.note(w.vendor);
  pg_auditor{how}.sign_now(); // is back
  for (auto* each : {&how, &of_another}) {
    const auto report = pg_auditor{*each}.verify({});
    EXPECT_TRUE(report.ok) << report.first_bad->what;
  }
  EXPECT_EQ(lines_of(log).size(), 2u);
  EXPECT_EQ(lines_of(of_another.folder / "heads.log").size(), 4u);
  // What only one of them has signed only that one can miss.
  w.sql("UPDATE journal SET principal = 'another' WHERE shard = " + text(at.shard) +
        " AND position = " + text(at.position));
  w.rehash(at.shard, at.position);
  expect_said("computed anew from here or from a later row up to position " + text(at.position));
  EXPECT_TRUE(pg_auditor{of_another}.verify({}).ok);
}

/// A node that was away for longer than rows may be unsigned has signed when it can be asked.
TEST_F(audit_heads, a_node_that_was_away_for_long_signs_before_it_is_asked) {
  hand_clock late{1'763'633'532'000'000}; // when the rows were written
  how.unsigned_limit = std::chrono::hours(1);
  how.time = &late;
  pg_auditor{how}.sign_now();
  w.note(w.vendor);
  late.advance_us(48 * 3'600'000'000LL);
  EXPECT_FALSE(pg_auditor{how}.verify({}).ok) << "unsigned for two days";
  pg_auditor back{how};
  back.start();
  const auto report = back.verify({});
  EXPECT_TRUE(report.ok) << report.first_bad->what;
}

} // namespace
