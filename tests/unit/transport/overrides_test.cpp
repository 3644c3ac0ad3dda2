// What a node asks of CAF before it forms a cluster.
#include "runtime/cluster/overrides/overrides.hpp"

#include "runtime/cluster/caf/caf_channels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

namespace rahat {
namespace {

/// A system as a node makes it, and what it finds amiss.
std::optional<std::string> fault(bool automatic_connections) {
  uuid node;
  node.bytes[15] = 1;
  set_node_identity(node, 1);
  caf::actor_system_config config;
  cluster::caf_channels_options how;
  how.insecure = true;
  cluster::use_channels(config, how);
  if (automatic_connections)
    config.set("middleman.enable-automatic-connections", true);
  caf::actor_system system{config};
  return overrides_fault(system);
}

TEST(overrides, a_node_finds_nothing_amiss) {
  EXPECT_EQ(fault(false), std::nullopt);
}

TEST(overrides, automatic_connections_are_refused) {
  const auto found = fault(true);
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, ::testing::HasSubstr("automatic connections"));
}

} // namespace
} // namespace rahat
