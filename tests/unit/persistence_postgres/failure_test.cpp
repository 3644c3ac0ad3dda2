#include "persistence/postgres/failure.hpp"

#include <gtest/gtest.h>
#include <pqxx/except>

namespace rahat::pg {

namespace {

TEST(failure, only_rows_make_a_batch_guilty) {
  for (const auto* state :
       {"23505", "22P02", "22021", "22003", "23514", "54000", "RH002", "P0001", ""})
    EXPECT_EQ(class_of(state), failure_class::guilty) << state;
  for (const auto* state :
       {"40001", "40P01", "53100", "53200", "55P03", "57014", "58030", "25006", "42501", "42883"})
    EXPECT_EQ(class_of(state), failure_class::again) << state;
  for (const auto* state : {"57P01", "57P02", "57P03", "08006", "08003"})
    EXPECT_EQ(class_of(state), failure_class::in_doubt) << state;
  EXPECT_EQ(class_of("RH001"), failure_class::fenced);
}

TEST(failure, states_that_libpqxx_keeps_to_itself_are_told_from_its_types) {
  const auto full = failure_of(pqxx::disk_full{"no space left"}, true);
  EXPECT_EQ(full.what, failure_class::again);
  EXPECT_EQ(full.state, "53100");
  const auto deadlock = failure_of(pqxx::deadlock_detected{"deadlock"}, true);
  EXPECT_EQ(deadlock.what, failure_class::again);
  EXPECT_EQ(deadlock.state, "40P01");
  const auto state = failure_of(pqxx::sql_error{"lock", "", "55P03"}, true);
  EXPECT_EQ(state.what, failure_class::again);
  EXPECT_EQ(state.state, "55P03");
  EXPECT_EQ(failure_of(std::runtime_error{"other"}, true).what, failure_class::guilty);
  EXPECT_EQ(failure_of(pqxx::disk_full{"no space left"}, false).what, failure_class::in_doubt);
}

TEST(failure, fenced_shards_are_read_from_the_message) {
  using shards = std::vector<shard_id>;
  EXPECT_EQ(fenced_shards("ERROR:  fenced shards: 3,17,255"), (shards{3, 17, 255}));
  EXPECT_EQ(fenced_shards("ERROR:  fenced shards: 0 CONTEXT: x"), shards{0});
  EXPECT_EQ(fenced_shards("something else 3"), shards{});
  EXPECT_EQ(fenced_shards("fenced shards: "), shards{});
}

} // namespace

} // namespace rahat::pg
