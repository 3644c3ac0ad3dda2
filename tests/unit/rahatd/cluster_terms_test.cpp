#include "apps/rahatd/clustering.hpp"

#include <gtest/gtest.h>

namespace rahat::test {
namespace {

/// By the terms of another length every lease of this cluster would lie too far ahead to count, and
/// no member would ever do anything.
TEST(cluster_terms, are_those_of_the_lease_that_the_settings_name) {
  config settings;
  settings.lease.ttl_ms = 20'000;
  settings.lease.renew_ms = 7'000;
  const auto terms = membership_terms_of(settings);
  EXPECT_EQ(terms.ttl_us, 20'000'000);
  EXPECT_EQ(terms.renew_every_us, 7'000'000);
  cluster::member m;
  m.lease_until_us = 100'000'000 + terms.ttl_us;
  EXPECT_FALSE(cluster::lapsed(m, 100'000'000, terms.ttl_us));
  const auto usual = membership_terms_of(config{});
  EXPECT_EQ(usual.ttl_us, cluster::membership_terms{}.ttl_us);
  EXPECT_EQ(usual.renew_every_us, cluster::membership_terms{}.renew_every_us);
}

} // namespace
} // namespace rahat::test
