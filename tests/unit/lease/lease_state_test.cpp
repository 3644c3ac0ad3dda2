#include "persistence/lease/lease_state.hpp"

#include "persistence/lease/node_identity.hpp"

#include <gtest/gtest.h>

namespace {

using namespace rahat;
using namespace std::chrono_literals;

constexpr boot_time start = 1h;

TEST(lease_state, nothing_is_served_before_the_first_renewal) {
  lease_state lease{{}};
  lease.beat(start);
  EXPECT_FALSE(lease.valid(start));
  EXPECT_FALSE(lease.valid(0s));
}

TEST(lease_state, the_holder_serves_until_half_a_second_before_the_database_lets_go) {
  lease_state lease{{}};
  lease.renewed(start);
  EXPECT_TRUE(lease.valid(start));
  EXPECT_TRUE(lease.valid(start + 2499ms));
  EXPECT_FALSE(lease.valid(start + 2500ms));
}

TEST(lease_state, time_is_counted_from_the_sending_of_the_renewal) {
  lease_state lease{{}};
  lease.renewed(start); // the answer may have come much later: that buys nothing
  EXPECT_FALSE(lease.valid(start + 3s));
}

TEST(lease_state, an_older_answer_never_shortens_the_lease) {
  lease_state lease{{}};
  lease.renewed(start + 1s);
  lease.renewed(start);
  EXPECT_TRUE(lease.valid(start + 3499ms - 1ms));
}

TEST(lease_state, a_lapsed_lease_is_renewed_as_if_nothing_had_been) {
  lease_state lease{{}};
  lease.renewed(start);
  EXPECT_FALSE(lease.valid(start + 10s));
  lease.renewed(start + 10s);
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
  lease.renewed(start);
  lease.end(lease_end::declared_dead);
  lease.end(lease_end::superseded);
  EXPECT_FALSE(lease.valid(start));
  EXPECT_FALSE(lease.may_renew(start));
  lease.renewed(start + 1s);
  EXPECT_FALSE(lease.valid(start + 1s));
  EXPECT_EQ(lease.ended(), lease_end::declared_dead);
}

TEST(lease_state, a_machine_that_slept_has_lost_its_lease) {
  // CLOCK_BOOTTIME goes on during sleep: the first reading after it is past the end.
  lease_state lease{{}};
  lease.renewed(start);
  EXPECT_FALSE(lease.valid(start + 8h));
  EXPECT_GT(read_boot_clock(), 0s);
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
