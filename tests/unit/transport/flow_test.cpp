#include "runtime/cluster/transport/flow.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace rahat::cluster;

namespace {

constexpr std::size_t kib = 1024;

TEST(flow, never_has_more_unconfirmed_than_its_window) {
  const link_terms terms;
  outflow out{terms};
  ASSERT_TRUE(out.push(frame_class::answer, std::string(3 * 1024 * kib, 'l')));
  std::uint64_t sent = 0;
  std::uint64_t pieces = 0;
  std::uint64_t small = 0;
  for (int round = 0; round < 60; ++round) {
    while (out.push(frame_class::question, std::string(60 * kib, 'q'))) {
    }
    while (auto part = out.next()) {
      sent += part->bytes.size();
      pieces += part->frame != 0 ? 1 : 0;
      small += part->frame == 0 ? 1 : 0;
      EXPECT_LE(out.unconfirmed(), terms.window_bytes);
    }
    ASSERT_TRUE(out.confirmed(sent, pieces));
  }
  EXPECT_EQ(pieces, 16U) << "small frames do not starve a large one";
  EXPECT_GT(small, 60U * 5) << "nor does it starve them";
}

TEST(flow, small_frames_pass_while_pieces_wait_for_their_confirmation) {
  const link_terms terms;
  outflow out{terms};
  ASSERT_TRUE(out.push(frame_class::answer, std::string(1024 * kib, 'l')));
  int pieces = 0;
  while (auto part = out.next())
    ++pieces;
  EXPECT_EQ(pieces, 2);
  ASSERT_TRUE(out.push(frame_class::question, "small"));
  auto part = out.next();
  ASSERT_TRUE(part);
  EXPECT_EQ(part->bytes, "small");
}

TEST(flow, believes_no_confirmation_of_what_was_not_sent) {
  const link_terms terms;
  outflow out{terms};
  ASSERT_TRUE(out.push(frame_class::question, "four"));
  ASSERT_TRUE(out.next());
  EXPECT_FALSE(out.confirmed(5, 0));
  EXPECT_FALSE(out.confirmed(4, 1));
  EXPECT_TRUE(out.confirmed(4, 0));
  EXPECT_FALSE(out.confirmed(3, 0)) << "it goes back";
}

TEST(flow, confirms_by_bytes_or_by_time) {
  using namespace std::chrono_literals;
  const link_terms terms;
  inflow in{terms};
  const std::chrono::steady_clock::time_point start{1h};
  EXPECT_FALSE(in.confirmation_due(start + 1h));
  in.taken(10, 0, start);
  EXPECT_FALSE(in.confirmation_due(start + 49ms));
  EXPECT_TRUE(in.confirmation_due(start + 50ms));
  in.told();
  EXPECT_FALSE(in.confirmation_due(start + 1h));
  in.taken(128 * kib, 0, start);
  EXPECT_TRUE(in.confirmation_due(start));
  EXPECT_EQ(in.bytes(), 128 * kib + 10);
}

} // namespace
