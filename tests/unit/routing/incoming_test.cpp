#include "router_scene.hpp"

#include <gtest/gtest.h>

#include <limits>

/// What a peer may send that no peer should.
using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;

namespace {

TEST(router, an_answer_of_the_wrong_kind_answers_all_the_same) {
  router_scene s;
  s.owned_by(2, 1);
  std::uint64_t number = 0;
  s.links.watch = [&](const uuid&, const uuid&, const wire::Frame& f) {
    if (f.has_ask() || f.has_look())
      number = f.call();
  };
  auto asked = s.ask(1);
  wire::Frame view;
  view.set_call(number);
  view.mutable_view()->set_json("{}");
  auto looked = s.look(1);
  wire::Frame reply;
  reply.set_call(number);
  reply.mutable_reply()->set_status(200);
  s.links.node(s[2].id).send(s[1].id, view);
  s.links.node(s[2].id).send(s[1].id, reply);
  s.run(10ms);
  EXPECT_EQ(asked->code(), "internal");
  EXPECT_EQ(looked->code(), "internal");
}

TEST(router, an_answer_of_another_peer_is_not_believed) {
  router_scene s{3};
  s.owned_by(2, 1);
  std::uint64_t number = 0;
  s.links.watch = [&](const uuid&, const uuid&, const wire::Frame& f) {
    if (f.has_ask())
      number = f.call();
  };
  auto a = s.ask(1);
  wire::Frame reply;
  reply.set_call(number);
  reply.mutable_reply()->set_status(200);
  s.links.node(s[3].id).send(s[1].id, reply);
  s.run(10ms);
  EXPECT_EQ(a->code(), "none");
}

TEST(router, a_time_left_that_nobody_meant_is_an_hour_at_most) {
  router_scene s;
  s.owned_by(2, 1);
  for (auto left :
       {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    wire::Frame look;
    look.set_call(1);
    look.mutable_look()->mutable_target()->set_kind("project");
    look.mutable_look()->mutable_target()->set_id(s.target.id.raw());
    look.mutable_look()->set_left_us(left);
    wire::Frame ask;
    ask.set_call(2);
    *ask.mutable_ask()->mutable_target() = look.look().target();
    ask.mutable_ask()->set_left_us(left);
    s.links.node(s[1].id).send(s[2].id, look);
    s.links.node(s[1].id).send(s[2].id, ask);
  }
  s.run(10ms);
  const auto now = s.time.steady();
  ASSERT_EQ(s[2].here.looks.size(), 2U);
  for (const auto& l : s[2].here.looks)
    EXPECT_LE(std::chrono::abs(l.deadline - now), 1h + 1s);
  for (const auto& q : s[2].here.questions)
    EXPECT_LE(std::chrono::abs(q.what.deadline - now), 1h + 1s);
}

TEST(router, frames_that_mean_nothing_harm_nothing) {
  router_scene s;
  wire::Frame empty;
  wire::Frame moved;
  moved.mutable_moved()->set_shard(4'000);
  for (const auto& f : {empty, moved})
    s.links.node(s[2].id).send(s[1].id, f);
  s.run(10ms);
  EXPECT_EQ(s[1].way->waiting(), 0U);
}

} // namespace
