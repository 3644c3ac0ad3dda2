#include "runtime/cluster/self_deadline.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace rahat::cluster {
namespace {

constexpr std::int64_t s = 1'000'000;
constexpr std::int64_t start = 3'600 * s;
constexpr std::int64_t offset = 9'000 * s; // the database's clock minus ours

void renewed(self_deadline& d, std::int64_t sent) {
  d.confirmed(sent, sent + offset);
}

TEST(self_deadline, nothing_is_served_before_the_first_renewal) {
  const self_deadline d;
  EXPECT_FALSE(d.serving(0));
  EXPECT_FALSE(d.serving(start));
  EXPECT_FALSE(d.serve_until_us());
  EXPECT_FALSE(d.steady_since_us(start));
}

TEST(self_deadline, counts_from_the_sending_and_ends_a_margin_early) {
  self_deadline d;
  renewed(d, start); // the answer may have come much later: that buys nothing
  EXPECT_TRUE(d.serving(start + 2'499'999));
  EXPECT_FALSE(d.serving(start + 2'500'000));
  EXPECT_EQ(d.serve_until_us(), start + 2'500'000);
}

TEST(self_deadline, an_older_answer_changes_nothing) {
  self_deadline d;
  renewed(d, start + s);
  renewed(d, start);
  EXPECT_EQ(d.serve_until_us(), start + s + 2'500'000);
}

TEST(self_deadline, a_lapse_is_healed_by_the_next_renewal) {
  self_deadline d;
  renewed(d, start);
  EXPECT_FALSE(d.serving(start + 9 * s));
  renewed(d, start + 9 * s);
  EXPECT_TRUE(d.serving(start + 10 * s));
}

TEST(self_deadline, after_forgetting_nothing_is_served) {
  self_deadline d;
  renewed(d, start);
  d.forget();
  EXPECT_FALSE(d.serving(start));
  renewed(d, start + s);
  EXPECT_EQ(d.steady_since_us(start + s), start + s);
}

TEST(self_deadline, is_steady_while_renewals_follow_each_other) {
  self_deadline d;
  for (int i = 0; i < 10; ++i)
    renewed(d, start + i * s);
  EXPECT_EQ(d.steady_since_us(start + 9 * s), start);
  renewed(d, start + 9 * s + 1'500'000);
  EXPECT_EQ(d.steady_since_us(start + 11 * s), start) << "at the gap";
  renewed(d, start + 12 * s + 1);
  EXPECT_EQ(d.steady_since_us(start + 12 * s + 1), start + 12 * s + 1) << "beyond it";
}

TEST(self_deadline, is_not_steady_while_the_next_renewal_is_overdue) {
  self_deadline d;
  renewed(d, start);
  EXPECT_TRUE(d.steady_since_us(start + 1'500'000));
  EXPECT_FALSE(d.steady_since_us(start + 1'500'001));
}

TEST(self_deadline, begins_anew_when_the_databases_clock_was_set) {
  for (auto jump : {1'000'001L, -1'000'001L}) {
    self_deadline d;
    renewed(d, start);
    d.confirmed(start + s, start + s + offset + jump);
    EXPECT_EQ(d.steady_since_us(start + s), start + s);
    EXPECT_EQ(d.clock_offset_us(), offset + jump);
  }
  self_deadline d;
  renewed(d, start);
  d.confirmed(start + s, start + s + offset + s);
  EXPECT_EQ(d.steady_since_us(start + s), start) << "a slow statement";
}

TEST(self_deadline, refuses_terms_that_protect_nothing) {
  using terms = self_deadline::terms;
  for (const auto& bad : {terms{.margin_us = 0}, terms{.margin_us = 3'000'000}, terms{.gap_us = 0},
                          terms{.gap_us = 3'000'000}, terms{.jump_us = 0}})
    EXPECT_THROW(self_deadline{bad}, std::invalid_argument);
}

} // namespace
} // namespace rahat::cluster
