#include "mesh_scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

/// Which of two links is the newer one, when their welcomes pass each other on the way.
using namespace rahat;
using namespace rahat::test;
using played_link = cluster::link; // node 1's side, by hand
using testing::ElementsAre;

namespace {

/// Channels whose other ends are links in the test's hand.
class hand_channels final : public cluster::channels {
public:
  std::uint16_t start(listener&) override { return 1; }
  void dial(const std::string&, std::uint16_t) override {}
  bool send(id channel, std::string bytes) override {
    sent.emplace_back(channel, std::move(bytes));
    return true;
  }
  void close(id channel) override { closed.push_back(channel); }
  void stop() override {}
  std::string local_id() const override { return "process-2"; }

  std::vector<std::pair<id, std::string>> sent;
  std::vector<id> closed;
};

class quiet final : public transport::listener {
public:
  void link_up(const uuid&) override { ++ups; }
  void link_down(const uuid&) override { ++downs; }
  void received(const uuid&, wire::Frame) override {}
  int ups = 0;
  int downs = 0;
};

/// The mesh is node 2; node 1, the smaller, which numbers the links, is played by hand.
class newer : public testing::Test {
protected:
  newer() {
    self.id = member_number(2);
    self.insecure = true;
    one.id = member_number(1);
    one.insecure = true;
    one.transport_id = "process-1";
    mesh = std::make_unique<cluster::mesh>(
        cluster::mesh::dependencies{wires, time, dice, probe, self, {}, {}});
    mesh->listen(&told);
    mesh->start();
    cluster::view v;
    v.version = 1;
    for (int n : {1, 2}) {
      auto& m = v.members.emplace_back();
      m.node_uuid = member_number(n).node;
      m.incarnation = 1;
      m.status = cluster::member_status::active;
    }
    mesh->viewed(v, self.id.node);
  }

  /// Node 1 opens a channel; all of the handshake but its welcome is passed on.
  void open(cluster::channels::id channel) {
    auto& l = *(ends[channel] = std::make_unique<played_link>(
                    one, link_role::dialler, "process-2",
                    [](const cluster::member_id&) {
                      return cluster::admission{cluster::admission::verdict::welcome, {}};
                    },
                    dice, last_link, time.steady()));
    mesh->opened(channel, "process-1", false);
    l.begin();
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& m : l.take_output().messages)
        if (m.has_welcome())
          welcomes[channel] = m.SerializeAsString();
        else
          mesh->received(channel, m.SerializeAsString());
      for (auto& [to, bytes] : std::exchange(wires.sent, {})) {
        ends.at(to)->received(bytes, time.steady());
        moved = true;
      }
    }
  }

  hand_clock time;
  seeded_random dice{5};
  hand_channels wires;
  counting_probe probe;
  quiet told;
  cluster::link_self self;
  cluster::link_self one;
  std::uint64_t last_link = 0;
  std::map<cluster::channels::id, std::unique_ptr<played_link>> ends;
  std::map<cluster::channels::id, std::string> welcomes;
  std::unique_ptr<cluster::mesh> mesh;
};

TEST_F(newer, is_the_link_that_was_welcomed_later_by_the_smaller_uuid) {
  open(11);
  open(12);
  ASSERT_EQ(ends.at(11)->number(), 1U);
  ASSERT_EQ(ends.at(12)->number(), 2U);
  mesh->received(12, welcomes.at(12));
  mesh->received(11, welcomes.at(11)); // it was sent before
  EXPECT_THAT(wires.closed, ElementsAre(11)) << "node 1 uses 12, and has closed 11";
  EXPECT_EQ(told.ups, 1);
  EXPECT_EQ(told.downs, 0);
}

TEST_F(newer, replaces_the_older_one) {
  open(11);
  open(12);
  mesh->received(11, welcomes.at(11));
  mesh->received(12, welcomes.at(12));
  EXPECT_THAT(wires.closed, ElementsAre(11));
  EXPECT_EQ(told.ups, 2);
  EXPECT_EQ(told.downs, 1) << "calls of the older one go again";
}

} // namespace
