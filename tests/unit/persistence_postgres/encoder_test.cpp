#include "persistence/postgres/batch_encoder.hpp"

#include <gtest/gtest.h>

namespace rahat::pg {

namespace {

commit commit_of(std::uint64_t seq) {
  commit c;
  c.entity = {"probe", derive_id({"e"})};
  c.seq = seq;
  return c;
}

/// The column whose element type and content are looked for by position, as the function's
/// parameters are numbered (behind batch id and generation).
constexpr std::size_t query_doc = 36;
constexpr std::size_t timer_due = 62;
constexpr std::size_t timer_deleted_name = 65;
constexpr std::size_t total_amount = 57;

TEST(batch_encoder, sends_only_the_last_row_of_a_key) {
  std::vector<commit> commits;
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    auto c = commit_of(seq);
    c.queries = {{"probe", c.entity.id, {}, "{\"seq\":" + std::to_string(seq) + "}"}};
    c.totals = {{"NPR", static_cast<std::int64_t>(seq)}};
    c.timers = {{"wake", static_cast<std::int64_t>(seq)}};
    commits.push_back(c);
  }
  std::vector<placed_commit> placed;
  for (auto& c : commits)
    placed.push_back({&c, c.seq, 1, {}});
  batch_encoder e;
  e.encode({{0, 1, 0, 3, {}}}, placed);
  ASSERT_EQ(e.common()[query_doc].size(), 1u);
  EXPECT_NE(e.common()[query_doc].wire().find("{\"seq\":3}"), std::string::npos);
  EXPECT_EQ(e.common()[total_amount].size(), 1u);
  EXPECT_EQ(e.common()[timer_due].size(), 1u);
  EXPECT_EQ(e.common()[timer_deleted_name].size(), 0u);
}

TEST(batch_encoder, a_timer_that_was_set_and_deleted_in_one_batch_is_deleted) {
  auto first = commit_of(1), second = commit_of(2);
  first.timers = {{"wake", 5}};
  second.timers = {{"wake", 0}};
  batch_encoder e;
  e.encode({}, {{&first, 1, 1, {}}, {&second, 2, 1, {}}});
  EXPECT_EQ(e.common()[timer_due].size(), 0u);
  EXPECT_EQ(e.common()[timer_deleted_name].size(), 1u);
}

TEST(batch_encoder, starts_afresh_and_knows_bulk) {
  auto paying = commit_of(1), plain = commit_of(2);
  paying.payments.emplace_back();
  batch_encoder e;
  e.encode({}, {{&paying, 1, 1, {}}});
  EXPECT_TRUE(e.has_bulk());
  e.encode({}, {{&plain, 2, 1, {}}});
  EXPECT_FALSE(e.has_bulk());
}

} // namespace

} // namespace rahat::pg
