#include "persistence/lease/lease_state.hpp"

#include "persistence/lease/node_identity.hpp"

#include <gtest/gtest.h>

namespace {

using namespace rahat;
using namespace std::chrono_literals;

constexpr boot_time start = 1h;

/// A renewal that a database confirms whose clock runs as the own one does.
void renew(lease_state& lease, boot_time sent_at, std::chrono::microseconds clock_ahead = 0us) {
  lease.renewed(
      sent_at,
      (std::chrono::duration_cast<std::chrono::microseconds>(sent_at) + clock_ahead).count());
}

std::int64_t us(boot_time t) {
  return std::chrono::duration_cast<std::chrono::microseconds>(t).count();
}

TEST(lease_state, nothing_is_served_before_the_first_renewal) {
  lease_state lease{{}};
  lease.beat(start);
  EXPECT_FALSE(lease.valid(start));
  EXPECT_FALSE(lease.valid(0s));
}

TEST(lease_state, the_holder_serves_until_half_a_second_before_the_database_lets_go) {
  lease_state lease{{}};
  renew(lease, start);
  EXPECT_TRUE(lease.valid(start));
  EXPECT_TRUE(lease.valid(start + 2499ms));
  EXPECT_FALSE(lease.valid(start + 2500ms));
}

TEST(lease_state, time_is_counted_from_the_sending_of_the_renewal) {
  lease_state lease{{}};
  renew(lease, start); // the answer may have come much later: that buys nothing
  EXPECT_FALSE(lease.valid(start + 3s));
}

TEST(lease_state, an_older_answer_never_shortens_the_lease) {
  lease_state lease{{}};
  renew(lease, start + 1s);
  renew(lease, start);
  EXPECT_TRUE(lease.valid(start + 3499ms - 1ms));
}

TEST(lease_state, a_lapsed_lease_is_renewed_as_if_nothing_had_been) {
  lease_state lease{{}};
  renew(lease, start);
  EXPECT_FALSE(lease.valid(start + 10s));
  renew(lease, start + 10s);
  EXPECT_TRUE(lease.valid(start + 11s));
  EXPECT_EQ(lease.ended(), lease_end::none);
}

TEST(lease_state, a_scheduler_that_is_silent_for_ttl_is_not_renewed_for) {
  lease_state lease{{}};
  EXPECT_FALSE(lease.may_renew(start)) << "no beat yet";
  lease.beat(start);
  EXPECT_TRUE(lease.may_renew(start + 2999ms));
  EXPECT_FALSE(lease.may_renew(start + 3s));
  lease.beat(start + 4s);
  EXPECT_TRUE(lease.may_renew(start + 4s));
}

TEST(lease_state, an_end_is_for_good_and_keeps_its_first_reason) {
  lease_state lease{{}};
  lease.beat(start);
  renew(lease, start);
  lease.end(lease_end::declared_dead);
  lease.end(lease_end::superseded);
  EXPECT_FALSE(lease.valid(start));
  EXPECT_FALSE(lease.may_renew(start));
  renew(lease, start + 1s);
  EXPECT_FALSE(lease.valid(start + 1s));
  EXPECT_EQ(lease.ended(), lease_end::declared_dead);
}

TEST(lease_state, a_machine_that_slept_has_lost_its_lease) {
  // CLOCK_BOOTTIME goes on during sleep: the first reading after it is past the end.
  lease_state lease{{}};
  renew(lease, start);
  EXPECT_FALSE(lease.valid(start + 8h));
  EXPECT_GT(read_boot_clock(), 0s);
}

TEST(lease_state, who_renews_without_a_gap_is_steady_since_the_first_time) {
  lease_state lease{{}};
  EXPECT_EQ(lease.steady_since_us(start), std::nullopt);
  for (auto t = start; t <= start + 4s; t += 1s)
    renew(lease, t, 5s);
  EXPECT_EQ(lease.steady_since_us(start + 4s), us(start));
  EXPECT_EQ(lease.steady_since_us(start + 5500ms), us(start));
  EXPECT_EQ(lease.steady_since_us(start + 5501ms), std::nullopt) << "a gap: it judges nobody";
  EXPECT_EQ(lease.clock_offset_us(), 5'000'000);
  renew(lease, start + 6s, 5s);
  EXPECT_EQ(lease.steady_since_us(start + 6s), us(start + 6s));
  lease.end(lease_end::declared_dead);
  EXPECT_EQ(lease.steady_since_us(start + 6s), std::nullopt);
}

TEST(lease_state, a_database_whose_clock_was_set_breaks_the_run) {
  lease_state lease{{}};
  renew(lease, start);
  renew(lease, start + 1s);
  renew(lease, start + 2s, 1500ms);
  EXPECT_EQ(lease.steady_since_us(start + 2s), us(start + 2s));
  EXPECT_TRUE(lease.valid(start + 2s)) << "the holder's own clock is not concerned";
}

TEST(node_identity, the_application_name_fits_into_what_postgres_keeps) {
  node_identity me{*uuid::parse("01234567-89ab-4def-8123-456789abcdef"), 42, "alpha"};
  EXPECT_EQ(me.application_name("w0"), "rahat/01234567-89ab-4def-8123-456789abcdef/42/w0");
  me.incarnation = 1'000'000'000;
  const auto longest = me.application_name("a-part-with-a-long-name");
  EXPECT_EQ(longest.size(), 63u);
  EXPECT_EQ(longest.find("/1000000000/a-part-w"), 42u);
}

} // namespace
