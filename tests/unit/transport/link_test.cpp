#include "link_pair.hpp"

#include "runtime/ports/transport.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;
using cluster::frame_class;
using cluster::link_end;
using phase = cluster::link::phase;
using testing::ElementsAre;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

std::vector<std::string> texts(const link_pair::end& e) {
  std::vector<std::string> out;
  for (const auto& f : e.frames)
    out.push_back(f.frame);
  return out;
}

TEST(link, carries_frames_in_order) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  for (auto text : {"one", "two", "three"})
    ASSERT_TRUE(pair.a.l->send(frame_class::in_order, text));
  ASSERT_TRUE(pair.b.l->send(frame_class::answer, "back"));
  pair.pass();
  EXPECT_THAT(texts(pair.b), ElementsAre("one", "two", "three"));
  EXPECT_THAT(texts(pair.a), ElementsAre("back"));
}

TEST(link, a_skipped_message_takes_it_down) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  bool lost = false;
  pair.on_the_way = [&](const auto&, wire::LinkMessage&) { return std::exchange(lost, true); };
  pair.a.l->send(frame_class::in_order, "lost");
  pair.a.l->send(frame_class::in_order, "after it");
  pair.pass();
  EXPECT_TRUE(pair.b.frames.empty()) << "nothing of what follows a gap is believed";
  EXPECT_EQ(pair.b.l->now_in(), phase::over);
  EXPECT_EQ(pair.b.l->why_over(), link_end::skipped);
  EXPECT_FALSE(pair.b.l->send(frame_class::in_order, "never again"));
}

TEST(link, a_repeated_message_takes_it_down) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  std::string copy;
  pair.on_the_way = [&](const auto&, wire::LinkMessage& m) {
    copy = m.SerializeAsString();
    return true;
  };
  pair.a.l->send(frame_class::in_order, "once");
  pair.pass_from(pair.a);
  pair.b.l->received(copy, pair.time.steady());
  pair.harvest(pair.b);
  EXPECT_THAT(texts(pair.b), ElementsAre("once"));
  EXPECT_EQ(pair.b.l->why_over(), link_end::skipped);
}

TEST(link, a_message_without_the_secret_is_dropped_and_counted) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  wire::LinkMessage forged;
  forged.mutable_numbered()->set_number(1);
  forged.mutable_numbered()->set_frame("forged");
  wire::LinkMessage hello;
  hello.mutable_hello()->set_protocol(1);
  wire::LinkMessage refused;
  refused.mutable_refused()->set_why("go away");
  wire::LinkMessage guessed = forged;
  guessed.mutable_numbered()->set_secret(std::string(16, 's'));
  for (const auto& m : {forged, guessed, hello, refused})
    pair.b.l->received(m.SerializeAsString(), pair.time.steady());
  pair.b.l->received("noise", pair.time.steady());
  pair.a.l->send(frame_class::in_order, "real");
  pair.pass();
  EXPECT_EQ(pair.b.strangers, 5U);
  EXPECT_EQ(pair.b.l->now_in(), phase::up);
  EXPECT_THAT(texts(pair.b), ElementsAre("real"));
}

TEST(link, beats_are_answered_and_measured) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  EXPECT_FALSE(pair.a.l->reachable(pair.time.steady())) << "no beat was answered yet";
  pair.run(50ms);
  EXPECT_TRUE(pair.a.l->reachable(pair.time.steady()));
  int beats = 0;
  pair.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    beats += &from == &pair.a && m.numbered().beat().number() != 0 ? 1 : 0;
    EXPECT_EQ(m.numbered().has_beat() ? m.numbered().beat().view_version() : 1, 1);
    return true;
  };
  pair.run(5'000ms);
  EXPECT_EQ(beats, 10) << "one each 500 ms";
}

TEST(link, silence_takes_it_down_after_two_seconds) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.run(1'000ms);
  pair.on_the_way = [](const auto&, wire::LinkMessage&) { return false; };
  pair.run(1'500ms);
  EXPECT_EQ(pair.a.l->now_in(), phase::up);
  pair.run(1'000ms);
  EXPECT_EQ(pair.a.l->why_over(), link_end::silent);
  EXPECT_EQ(pair.b.l->why_over(), link_end::silent);
}

TEST(link, one_way_only_is_not_reachable_in_either_direction) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.run(1'000ms);
  pair.on_the_way = [&](const auto& from, wire::LinkMessage&) { return &from != &pair.a; };
  pair.run(2'600ms);
  EXPECT_FALSE(pair.a.l->reachable(pair.time.steady())) << "its beats do not arrive";
  EXPECT_FALSE(pair.b.l->reachable(pair.time.steady())) << "its beats are not answered";
}

TEST(link, a_full_window_says_so_until_it_is_confirmed) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.b.takes = false;
  const std::string frame(100 * kib, 'x');
  std::size_t taken = 0;
  while (pair.a.l->send(frame_class::question, frame))
    ++taken;
  EXPECT_EQ(taken, 10U) << "1 MiB unconfirmed";
  EXPECT_LE(pair.a.l->unconfirmed(), mib);
  pair.run(1'000ms);
  EXPECT_FALSE(pair.a.l->send(frame_class::question, frame)) << "it has come, but was not taken in";
  EXPECT_EQ(pair.a.l->now_in(), phase::up) << "beats pass a full window";
  for (const auto& f : pair.b.frames)
    pair.b.l->taken(f, pair.time.steady());
  pair.pass();
  EXPECT_EQ(pair.a.l->unconfirmed(), 0U);
  EXPECT_TRUE(pair.a.l->send(frame_class::question, frame));
}

TEST(link, little_is_confirmed_within_fifty_milliseconds) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.run(100ms);
  pair.a.l->send(frame_class::in_order, "little");
  pair.pass();
  EXPECT_EQ(pair.a.l->unconfirmed(), 6U);
  pair.run(100ms);
  EXPECT_EQ(pair.a.l->unconfirmed(), 0U);
}

TEST(link, answers_wait_behind_the_window_up_to_their_bound) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.b.takes = false;
  const std::string frame(128 * kib, 'x');
  std::size_t answers = 0;
  while (pair.a.l->send(frame_class::answer, frame))
    ++answers;
  EXPECT_EQ(answers, 8U + 32U) << "1 MiB on their way, 4 MiB behind";
  EXPECT_TRUE(pair.a.l->send(frame_class::refusal, "no room for the answer")) << "it is told so";
  EXPECT_FALSE(pair.a.l->send(frame_class::question, "later")) << "questions do not overtake";
  pair.b.takes = true;
  pair.run(200ms);
  EXPECT_EQ(pair.b.frames.size(), 41U);
  EXPECT_EQ(pair.b.frames.back().frame, "no room for the answer");
}

TEST(link, large_frames_pass_in_pieces_and_beats_between) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  std::string large(4 * mib, ' ');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>('a' + i % 23);
  int pieces = 0;
  int open = 0; // on their way and not taken in
  std::size_t largest = 0;
  pair.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    largest = std::max(largest, m.ByteSizeLong());
    if (&from == &pair.a && m.numbered().has_piece())
      ++pieces;
    return true;
  };
  pair.b.takes = false;
  ASSERT_TRUE(pair.a.l->send(frame_class::answer, large));
  pair.harvest(pair.a);
  for (const auto& m : pair.a.going)
    open += m.numbered().has_piece() ? 1 : 0;
  EXPECT_EQ(open, 2) << "no more are on their way at once";
  ASSERT_TRUE(pair.a.l->send(frame_class::question, "small")) << "others go between them";
  pair.a.l->tick(pair.time.steady(), 1);
  pair.pass_from(pair.a);
  pair.harvest(pair.b);
  ASSERT_EQ(pair.b.frames.size(), 1U);
  EXPECT_EQ(pair.b.frames[0].frame, "small") << "it has passed the large one";
  pair.b.takes = true;
  pair.b.l->taken(pair.b.frames[0], pair.time.steady());
  pair.pass();
  EXPECT_TRUE(pair.a.l->reachable(pair.time.steady())) << "the beat was answered";
  ASSERT_EQ(pair.b.frames.size(), 2U);
  EXPECT_TRUE(pair.b.frames[1].frame == large);
  EXPECT_EQ(pieces, 22);
  EXPECT_LE(largest, 200 * kib);
}

TEST(link, frames_without_an_answer_keep_their_order_behind_a_large_one) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  ASSERT_TRUE(pair.a.l->send(frame_class::in_order, std::string(mib, 'l')));
  ASSERT_TRUE(pair.a.l->send(frame_class::in_order, "after it"));
  ASSERT_TRUE(pair.a.l->send(frame_class::question, "before it"));
  pair.run(100ms);
  ASSERT_EQ(pair.b.frames.size(), 3U);
  EXPECT_EQ(pair.b.frames[0].frame, "before it");
  EXPECT_EQ(pair.b.frames[1].frame.size(), mib);
  EXPECT_EQ(pair.b.frames[2].frame, "after it");
}

TEST(link, frames_above_four_mebibytes_do_not_go) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  EXPECT_FALSE(
      pair.a.l->send(frame_class::answer, std::string(transport::max_frame_bytes + 1, 'x')));
  EXPECT_TRUE(pair.a.l->send(frame_class::answer, std::string(transport::max_frame_bytes, 'x')));
}

TEST(link, a_peer_that_ignores_the_window_loses_the_link) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.b.takes = false;
  pair.a.self.terms.window_bytes = 8 * mib; // its build has another idea
  const std::string frame(128 * kib, 'x');
  for (int i = 0; i < 9; ++i)
    pair.a.l->send(frame_class::question, frame);
  // Both ends of this test share nothing: b goes by its own terms.
  pair.pass();
  EXPECT_EQ(pair.b.l->why_over(), link_end::violation);
  EXPECT_EQ(pair.b.l->now_in(), phase::over);
}

TEST(link, a_confirmation_of_what_was_never_sent_takes_it_down) {
  link_pair pair;
  ASSERT_TRUE(pair.up());
  pair.on_the_way = [](const auto&, wire::LinkMessage& m) {
    m.mutable_numbered()->set_taken_bytes(1'000);
    return true;
  };
  pair.a.l->send(frame_class::in_order, "text");
  pair.pass_from(pair.a);
  EXPECT_EQ(pair.b.l->why_over(), link_end::violation);
}

} // namespace
