#include "mesh_scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;
using state = cluster::peer_status::link_state;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

TEST(mesh, three_nodes_link_each_with_each) {
  mesh_scene s{3, 1, false};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.run(1s);
  for (int n = 1; n <= 3; ++n) {
    for (const auto& p : s[n].links->peers()) {
      EXPECT_EQ(p.state, state::up);
      EXPECT_TRUE(p.reachable);
      EXPECT_EQ(p.last_trouble, "");
      EXPECT_GT(p.rtt_us, -1);
      EXPECT_TRUE(s[n].reaches(p.who));
    }
    EXPECT_EQ(s[n].links->peers().size(), 2U);
  }
  EXPECT_EQ(s.net.dials_to("node1"), 0U) << "the smaller uuid dials";
  EXPECT_EQ(s.net.dials_to("node3"), 2U);
}

TEST(mesh, carries_frames_and_counts_bytes) {
  mesh_scene s{2};
  EXPECT_FALSE(s[1].tell(s[2].id, 1)) << "no link";
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  for (std::uint64_t n = 1; n <= 5; ++n)
    ASSERT_TRUE(s[1].tell(s[2].id, n, 100'000));
  ASSERT_TRUE(s[1].tell(s[2].id, 6, 3'000'000)) << "in pieces";
  EXPECT_FALSE(s[1].tell(s[2].id, 7, transport::max_frame_bytes)) << "too large";
  s.run(200ms);
  EXPECT_THAT(s[2].heard[s[1].id.node], ElementsAre(1, 2, 3, 4, 5, 6));
  const auto out = s[1].links->peers().at(0);
  EXPECT_GT(out.bytes_out, 3'500'000U);
  EXPECT_EQ(out.unconfirmed, 0U);
  EXPECT_EQ(s[2].links->peers().at(0).bytes_in, out.bytes_out);
}

TEST(mesh, a_cut_takes_the_link_down_in_two_seconds_and_heals) {
  mesh_scene s{3};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.run(700ms);
  s.net.cut("node1", "node2");
  s.run(1'400ms);
  EXPECT_EQ(s[1].up.size(), 2U) << "not yet: a pause is no end";
  ASSERT_TRUE(s.runs_until([&] { return s[1].up.size() == 1 && s[2].up.size() == 1; }, 1'100ms));
  EXPECT_FALSE(s[1].reaches(s[2].id));
  EXPECT_FALSE(s[2].reaches(s[1].id));
  EXPECT_THAT(s[1].links->peers().at(0).last_trouble, HasSubstr("nothing was heard"));
  EXPECT_EQ(s[3].up.size(), 2U) << "others are unaffected";
  s.run(5s);
  s.net.heal_all();
  EXPECT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 4s));
  EXPECT_TRUE(s.runs_until([&] { return s[1].reaches(s[2].id); }, 1s));
}

TEST(mesh, a_cut_of_one_way_is_out_of_reach_for_both) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.run(100ms);
  ASSERT_TRUE(s[1].reaches(s[2].id) && s[2].reaches(s[1].id));
  s.net.cut_one_way("node1", "node2");
  EXPECT_TRUE(
      s.runs_until([&] { return !s[1].reaches(s[2].id) && !s[2].reaches(s[1].id); }, 2'600ms));
}

TEST(mesh, goes_on_when_a_listener_throws) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s[2].on_frame = [](auto&) { throw std::runtime_error("a bug of the listener"); };
  for (std::uint64_t n = 1; n <= 3; ++n)
    ASSERT_TRUE(s[1].tell(s[2].id, n, 300'000)) << "in pieces, which are confirmed";
  s.run(500ms);
  EXPECT_THAT(s[2].heard[s[1].id.node], ElementsAre(1, 2, 3));
  EXPECT_EQ(s[2].probe.threw, 3);
  EXPECT_EQ(s[1].links->peers().at(0).unconfirmed, 0U);
  s[2].on_frame = nullptr;
  s[2].links->on_reading([](auto&, bool) { throw std::runtime_error("another one"); });
  s.run(2s);
  EXPECT_GT(s[2].probe.threw, 3);
  ASSERT_TRUE(s[1].tell(s[2].id, 4));
  s.run(100ms);
  EXPECT_THAT(s[2].heard[s[1].id.node], ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(s.full_mesh());
}

TEST(mesh, what_was_on_its_way_when_a_link_ended_never_comes) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.net.cut("node1", "node2");
  ASSERT_TRUE(s[1].tell(s[2].id, 1));
  s.run(3s);
  s.net.heal_all();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 4s));
  ASSERT_TRUE(s[1].tell(s[2].id, 2));
  s.run(200ms);
  EXPECT_THAT(s[2].heard[s[1].id.node], ElementsAre(2));
  EXPECT_EQ(s[2].times_heard[s[1].id.node].count(1), 0U);
}

TEST(mesh, a_lost_message_takes_the_link_down_and_a_new_one_comes) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.net.lose_next("node1", "node2");
  ASSERT_TRUE(s[1].tell(s[2].id, 1));
  ASSERT_TRUE(s[1].tell(s[2].id, 2));
  s.run(50ms);
  EXPECT_EQ(s[2].downs[s[1].id.node], 1);
  EXPECT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  EXPECT_EQ(s[2].times_heard[s[1].id.node].count(2), 0U);
}

TEST(mesh, doubled_dials_end_in_one_link) {
  int doubled = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    mesh_scene s{2, seed};
    s.tell_view();
    ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
    // What node 2 says is held up so long that it gives up and dials too, while node 1 still dials.
    s.net.cut("node1", "node2");
    s.run(7'000ms + 70ms * static_cast<int>(seed)); // both dial at the same moment, in some
    s.net.delay("node1", "node2", 0ms, 80ms);
    s.net.delay("node2", "node1", 0ms, 80ms);
    s.net.heal_all();
    ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 6s)) << "seed " << seed;
    s.run(1s);
    ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 6s)) << "seed " << seed;
    EXPECT_EQ(s.net.channels_between("node1", "node2"), 1U) << "seed " << seed;
    ASSERT_TRUE(s[1].tell(s[2].id, 7));
    ASSERT_TRUE(s[2].tell(s[1].id, 8));
    s.run(200ms);
    EXPECT_THAT(s[2].heard[s[1].id.node], ElementsAre(7)) << "seed " << seed;
    EXPECT_THAT(s[1].heard[s[2].id.node], ElementsAre(8)) << "seed " << seed;
    doubled += s[1].probe.ended_up["replaced"] + s[2].probe.ended_up["replaced"];
  }
  EXPECT_GT(doubled, 0) << "no seed made a doubled link";
}

TEST(mesh, the_larger_dials_when_no_link_has_come_for_five_seconds) {
  mesh_scene s{2};
  s.row(2).address = "nowhere"; // node 1 cannot find node 2
  s.tell_view();
  s.run(4'900ms);
  EXPECT_EQ(s.net.dials_to("node1"), 0U);
  EXPECT_THAT(s[1].links->peers().at(0).last_trouble, HasSubstr("dialling nowhere:7000"));
  EXPECT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  EXPECT_EQ(s.net.dials_to("node1"), 1U);
}

TEST(mesh, dials_again_ever_more_slowly) {
  mesh_scene s{2};
  s.row(2).address = "nowhere";
  s.row(1).address = "";
  s.tell_view();
  s.run(1s);
  const auto first = s.net.dials_to("nowhere");
  EXPECT_GE(first, 2U);
  EXPECT_LE(first, 5U) << "0.2 s, doubling";
  s.run(20s);
  const auto later = s.net.dials_to("nowhere") - first;
  EXPECT_GE(later, 8U);
  EXPECT_LE(later, 14U) << "each 2 s, a quarter more or less";
}

TEST(mesh, a_black_holed_peer_costs_the_others_nothing) {
  mesh_scene s{3};
  s.net.black_hole("node3");
  s.tell_view();
  EXPECT_TRUE(s.runs_until([&] { return s[1].up.size() == 1 && s[2].up.size() == 1; }, 200ms));
  s.run(100ms);
  EXPECT_TRUE(s[1].reaches(s[2].id));
  EXPECT_EQ(s[1].links->peers().at(1).state, state::dialling);
  EXPECT_FALSE(s[1].reaches(s[3].id));
}

TEST(mesh, a_new_incarnation_is_dialled_at_once_and_the_former_link_is_over) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  const auto former = s[2].id;
  s.restart(2);
  s.run(100ms);
  EXPECT_THAT(s[1].up, IsEmpty());
  s.run(3s);
  EXPECT_THAT(s[1].up, IsEmpty()) << "the view does not know the new incarnation";
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 100ms));
  EXPECT_FALSE(s[1].tell(member_number(3), 1));
  s.run(100ms);
  EXPECT_TRUE(s[1].reaches(s[2].id));
  EXPECT_FALSE(s[1].reaches(former));
}

TEST(mesh, a_former_incarnation_is_refused_with_a_sentence) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.row(2).incarnation = 2; // another process has joined under its uuid
  s.tell_view();
  s.run(100ms);
  EXPECT_THAT(s[1].up, IsEmpty());
  s.run(2s);
  EXPECT_THAT(s[1].up, IsEmpty());
  EXPECT_THAT(s[2].links->peers().at(0).last_trouble, HasSubstr("followed by incarnation 2"));
}

TEST(mesh, a_dead_member_has_no_link) {
  mesh_scene s{3};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.row(3).status = cluster::member_status::dead;
  s.tell_view();
  s.run(100ms);
  EXPECT_THAT(s[1].up, ElementsAre(s[2].id.node));
  EXPECT_FALSE(s[1].tell(s[3].id, 1));
  s.run(10s);
  EXPECT_THAT(s[3].up, IsEmpty()) << "however often it dials";
  EXPECT_THAT(s[2].up, ElementsAre(s[1].id.node));
}

TEST(mesh, an_older_view_changes_nothing) {
  mesh_scene s{2};
  auto old = s.now;
  old.members.pop_back();
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s[1].links->viewed(old, s[1].id.node);
  s.run(100ms);
  EXPECT_TRUE(s.full_mesh());
}

TEST(mesh, an_unknown_node_makes_it_read_the_view) {
  mesh_scene s{2};
  auto without = s.now;
  without.version = 1;
  without.members.erase(without.members.begin());
  s[2].links->viewed(without, s[2].id.node); // node 2 does not know node 1
  s.now.version = 1;
  s[1].links->viewed(s.now, s[1].id.node);
  s.run(100ms);
  EXPECT_GE(s[2].asked_for_view, 1);
  EXPECT_THAT(s[2].up, IsEmpty());
  s.tell_view();
  EXPECT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 100ms)) << "the same link goes on";
  EXPECT_EQ(s.net.dials_to("node2"), 1U);
}

TEST(mesh, a_peer_with_a_newer_view_makes_it_read) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.run(600ms);
  s[1].asked_for_view = s[2].asked_for_view = 0;
  ++s.now.version;
  s[1].links->viewed(s.now, s[1].id.node);
  s.run(3s);
  EXPECT_EQ(s[2].asked_for_view, 1) << "once a version";
  EXPECT_EQ(s[1].asked_for_view, 0);
}

TEST(mesh, an_address_that_leads_to_another_member_harms_no_link) {
  mesh_scene s{3};
  s.row(3).address = "node2"; // a mistake in its settings
  s.net.black_hole("node3");
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s[1].up.size() == 1; }, 1s));
  s.run(20s);
  EXPECT_EQ(s[1].downs[s[2].id.node], 0);
  EXPECT_EQ(s[1].ups[s[2].id.node], 1);
  EXPECT_LE(s.net.channels_between("node1", "node2"), 2U);
}

TEST(mesh, a_peer_that_never_confirms_does_not_block_others) {
  mesh_scene s{3};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s.net.cut_one_way("node2", "node1"); // what node 2 confirms does not arrive
  std::uint64_t n = 0;
  while (s[1].tell(s[2].id, ++n, 50'000))
    ASSERT_LT(n, 100U) << "without a bound";
  EXPECT_LE(s[1].links->peers().at(0).unconfirmed, 1'048'576U);
  EXPECT_FALSE(s[1].tell(s[2].id, ++n, 50'000)) << "its window is full";
  for (std::uint64_t k = 1; k <= 100; ++k) {
    ASSERT_TRUE(s[1].tell(s[3].id, k, 50'000));
    s.run(10ms);
  }
  EXPECT_EQ(s[3].heard[s[1].id.node].size(), 100U);
  EXPECT_TRUE(s.runs_until([&] { return !s[1].up.contains(s[2].id.node); }, 2s));
}

TEST(mesh, too_many_unproven_channels_are_closed_at_once) {
  mesh_scene s{1};
  class nobody final : public cluster::channels::listener {
  public:
    void opened(cluster::channels::id, const std::string&, bool) override {}
    void received(cluster::channels::id, std::string) override {}
    void closed(cluster::channels::id, const std::string&) override { ++ended; }
    void dial_failed(const std::string&, std::uint16_t, const std::string&) override {}
    int ended = 0;
  } silent;
  auto& stranger = s.net.process("stranger");
  stranger.start(silent);
  for (int i = 0; i < 80; ++i)
    stranger.dial("node1", network_twin::port);
  s.run(20ms);
  EXPECT_EQ(silent.ended, 16) << "64 may be unproven";
  s.run(3'100ms);
  EXPECT_EQ(silent.ended, 80) << "and not for long";
  stranger.stop();
}

TEST(mesh, sending_from_inside_of_a_callback_keeps_the_order) {
  mesh_scene s{2};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  std::uint64_t back = 0;
  s[2].on_frame = [&](const uuid&) {
    s[2].tell(s[1].id, ++back);
    s[2].tell(s[1].id, ++back);
  };
  for (std::uint64_t n = 1; n <= 20; ++n)
    s[1].tell(s[2].id, n);
  s.run(100ms);
  ASSERT_EQ(s[1].heard[s[2].id.node].size(), 40U);
  EXPECT_TRUE(std::is_sorted(s[1].heard[s[2].id.node].begin(), s[1].heard[s[2].id.node].end()));
}

TEST(mesh, stopping_tells_every_link_down) {
  mesh_scene s{3};
  s.tell_view();
  ASSERT_TRUE(s.runs_until([&] { return s.full_mesh(); }, 1s));
  s[1].links->stop();
  EXPECT_THAT(s[1].up, IsEmpty());
  EXPECT_FALSE(s[1].tell(s[2].id, 1));
  s.run(100ms);
  EXPECT_EQ(s[2].up.size(), 1U);
  s[1].links->stop(); // once more is nothing
}

TEST(mesh, asks_for_certificates_unless_it_was_told_otherwise) {
  hand_clock time;
  network_twin net{time, 1};
  seeded_random dice{1};
  cluster::mesh_probe probe;
  EXPECT_THROW((cluster::mesh{{net.process("a"), time, dice, probe, {}, {}, {}}}),
               std::invalid_argument);
}

} // namespace
