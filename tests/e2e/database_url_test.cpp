// The same node on a Postgres that somebody else runs.
#include "tests/e2e/ledger.hpp"
#include "tests/e2e/office.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fstream>

namespace rahat::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class database_url : public testing::Test {
protected:
  /// A secret goes by reference: a connection string with a password stands in a file.
  std::string reference(const std::string& name, const std::string& conninfo) {
    const auto file = folder_.path() / name;
    std::ofstream{file} << conninfo << '\n';
    std::filesystem::permissions(file, std::filesystem::perms{0600});
    return "file:" + file.string();
  }

  std::vector<std::string> safe_flags(const test_database& db) {
    return {"--database.url", reference("url", db.service), "--database.admin_url",
            reference("admin_url", db.owner)};
  }

  /// The tests' own server forces nothing to the disk.
  std::vector<std::string> flags(const test_database& db) {
    auto out = safe_flags(db);
    out.insert(out.end(), {"--database.fsync_check", "false"});
    return out;
  }

  scratch_folder folder_;
};

TEST_F(database_url, the_whole_way_of_money_through_a_kill) {
  auto db = pg_fixture::get().empty_database();
  node_process node{flags(db)};
  node.start();
  EXPECT_FALSE(std::filesystem::exists(node.data() / "postgres")) << "no server of its own";
  office staff{node};
  const auto project = staff.active_project();
  staff.fund(project, 10'000'000);
  staff.import(project, register_csv(3'000));
  const auto disbursement = staff.draft(project, 0);
  const auto path = "/v2/disbursements/" + disbursement;
  staff.maker.post(path + "/lock");
  auto locked = staff.until(disbursement, "locked");
  staff.checker.post(path + "/approve", {{"digest", text(locked, "digest")}});
  staff.maker.post(path + "/pay");
  node.kill_hard();
  node.start();
  auto paid = staff.until(disbursement, "completed");
  EXPECT_EQ(number(paid, "lines_paid"), 3'000);
  EXPECT_EQ(number(paid, "paid_minor"), register_sum(3'000));
  ledger books{db.owner};
  EXPECT_THAT(books.wrong_lines(text(paid, "list_id")), IsEmpty());
  EXPECT_TRUE(eventually([&] { return books.wrong_books().empty(); }));
  EXPECT_THAT(books.broken_links(), IsEmpty());
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(books.number("SELECT 1"), 1) << "the server is not ours to stop";
}

TEST_F(database_url, a_server_that_may_lose_what_it_acknowledges_is_refused) {
  auto db = pg_fixture::get().empty_database();
  node_process node{safe_flags(db)};
  auto end = run_rahatd(node.start_flags());
  EXPECT_EQ(end.exit_code, 3);
  EXPECT_THAT(end.output, HasSubstr("fsync is off"));
  EXPECT_THAT(end.output, HasSubstr("Set fsync = on"));
  EXPECT_THAT(end.output, HasSubstr("database.fsync_check"));
  ledger books{db.owner};
  EXPECT_EQ(books.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0)
      << "before anything was written";
}

TEST_F(database_url, a_server_that_is_not_there_is_named) {
  node_process node{{"--database.url", "postgresql://nobody@127.0.0.1:1/none"}};
  auto end = run_rahatd(node.start_flags());
  EXPECT_EQ(end.exit_code, 3);
  EXPECT_THAT(end.output, HasSubstr("127.0.0.1"));
}

} // namespace
} // namespace rahat::test
