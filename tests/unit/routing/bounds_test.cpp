#include "router_scene.hpp"

#include <gtest/gtest.h>

#include <algorithm>

/// Every bound has an answer.
using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;

namespace {

using answers = std::vector<std::shared_ptr<heard_answer>>;

std::size_t with_code(const answers& all, const std::string& code) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const auto& a) { return a->code() == code; }));
}

TEST(router, every_bound_answers) {
  cluster::router_limits few;
  few.calls_per_peer = 3;
  few.waiting = 4;
  router_scene s{2, few};
  s.owned_by(2, 1);
  answers calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(s.ask(1));
  EXPECT_EQ(with_code(calls, "overloaded"), 2U) << "calls to one peer";
  s.run(10ms);
  s[2].here.reply("room again");
  s.run(10ms);
  EXPECT_EQ(s.ask(1)->code(), "none");
  s[1].owners.forget();
  answers waiting;
  for (int i = 0; i < 6; ++i)
    waiting.push_back(s.ask(1));
  EXPECT_EQ(with_code(waiting, "moved"), 2U) << "calls that wait for an owner";
}

TEST(router, bytes_to_a_peer_are_bounded_but_one_call_always_goes) {
  cluster::router_limits few;
  few.bytes_per_peer = 1'000;
  router_scene s{2, few};
  s.owned_by(2, 1);
  auto large = s.ask(1, 5'000);
  auto next = s.ask(1, 10);
  EXPECT_EQ(large->code(), "none");
  EXPECT_EQ(next->code(), "overloaded");
  s.run(10ms);
  s[2].here.reply("done");
  s.run(10ms);
  EXPECT_EQ(large->body(), "done");
  EXPECT_EQ(s.ask(1, 500)->code(), "none");
  EXPECT_EQ(s.ask(1, 500)->code(), "none");
  EXPECT_EQ(s.ask(1, 1)->code(), "overloaded");
}

TEST(router, bytes_of_calls_that_wait_are_bounded) {
  cluster::router_limits few;
  few.waiting_bytes = 1'000;
  router_scene s{2, few};
  answers calls;
  for (int i = 0; i < 3; ++i)
    calls.push_back(s.ask(1, 400));
  EXPECT_EQ(with_code(calls, "moved"), 1U);
  calls.push_back(s.ask(1, 200));
  EXPECT_EQ(with_code(calls, "moved"), 1U);
  calls.push_back(s.ask(1, 1));
  EXPECT_EQ(with_code(calls, "moved"), 2U);
  s.owned_by(2, 1);
  s.run(10ms);
  EXPECT_EQ(s[2].here.questions.size(), 3U);
  s[1].owners.forget();
  EXPECT_EQ(s.ask(1, 1'000)->code(), "none") << "what has gone on its way counts no more";
}

TEST(router, has_the_bounds_of_the_protocol) {
  const cluster::router_limits limits;
  EXPECT_EQ(limits.calls_per_peer, 256U);
  EXPECT_EQ(limits.bytes_per_peer, 1'048'576U);
  EXPECT_EQ(limits.waiting, 4'096U);
  EXPECT_EQ(limits.waiting_bytes, 16U * 1'048'576U);
  EXPECT_EQ(limits.patience, 6s);
}

TEST(router, a_full_way_makes_calls_wait_and_then_go) {
  router_scene s;
  s.owned_by(2, 1);
  s.links.fill(s[1].id, s[2].id, true);
  auto a = s.ask(1);
  s.run(200ms);
  EXPECT_EQ(a->code(), "none");
  EXPECT_EQ(s[1].way->waiting() + s[1].way->under_way(), 1U);
  s.links.fill(s[1].id, s[2].id, false);
  s.run(200ms);
  ASSERT_EQ(s[2].here.questions.size(), 1U);
  s[2].here.reply("done");
  s.run(10ms);
  EXPECT_EQ(a->body(), "done");
}

TEST(router, an_answer_that_finds_no_room_becomes_unavailable) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1);
  s.run(10ms);
  s.links.fill_for(s[2].id, s[1].id, wire::Frame::kReply);
  s[2].here.reply("done");
  s.run(10ms);
  EXPECT_EQ(a->code(), "unavailable") << "the stored reply is found by the retry";
}

TEST(router, a_command_that_no_link_carries_is_refused_for_good) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1, transport::max_frame_bytes);
  ASSERT_EQ(a->code(), "body_too_large") << "at once, and not as one that may be tried again";
  EXPECT_FALSE(is_retryable(std::get<error>(*a->reply).code));
  EXPECT_NE(std::get<error>(*a->reply).message.find("4 MiB"), std::string::npos);
  EXPECT_EQ(s[1].way->waiting() + s[1].way->under_way(), 0U);
  auto b = s.ask(1, transport::max_frame_bytes - 1'000);
  s.run(10ms);
  ASSERT_EQ(s[2].here.questions.size(), 1U) << "its credit is back";
  s[2].here.reply("done");
  s.run(10ms);
  EXPECT_EQ(b->body(), "done");
  s.owned_by(1, 2);
  auto here = s.ask(1, transport::max_frame_bytes);
  EXPECT_EQ(here->code(), "none") << "where it is served it goes";
}

TEST(router, an_answer_that_is_too_large_says_so) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1);
  s.run(10ms);
  s[2].here.reply(std::string(transport::max_frame_bytes + 1, 'x'));
  s.run(10ms);
  ASSERT_EQ(a->code(), "internal");
  EXPECT_NE(std::get<error>(*a->reply).message.find("too large"), std::string::npos);
}

} // namespace
