#include "runtime/cluster/transport/pieces.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace rahat::cluster;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t largest = 4 * 1024 * kib;

TEST(pieces, come_together_as_they_were_cut) {
  const link_terms terms;
  for (std::size_t size : {192 * kib + 1, 384 * kib, largest}) {
    cutter cut{terms};
    assembler together{terms, largest};
    std::string frame(size, 'a');
    frame.back() = 'z';
    ASSERT_TRUE(cut.push(frame, false));
    std::optional<std::string> whole;
    while (!cut.empty()) {
      ASSERT_FALSE(whole);
      EXPECT_LE(cut.next_bytes(), terms.piece_bytes);
      const auto part = cut.next();
      auto added = together.add(part.frame, part.total, part.bytes);
      ASSERT_FALSE(added.fault) << *added.fault;
      whole = added.frame;
      EXPECT_EQ(part.last, whole.has_value());
    }
    EXPECT_TRUE(whole == frame);
    EXPECT_EQ(cut.bytes(), 0U);
    EXPECT_EQ(together.bytes(), 0U);
  }
}

TEST(pieces, of_several_frames_take_turns) {
  const link_terms terms;
  cutter cut{terms};
  ASSERT_TRUE(cut.push(std::string(3 * 192 * kib, 'a'), false));
  ASSERT_TRUE(cut.push(std::string(2 * 192 * kib, 'b'), false));
  ASSERT_TRUE(cut.push(std::string(2 * 192 * kib, 'c'), true));
  ASSERT_TRUE(cut.push("d", true));
  std::string order;
  while (!cut.empty())
    order += cut.next().bytes.front();
  EXPECT_EQ(order, "cacbdaba");
}

TEST(pieces, have_bounds_at_the_sender) {
  const link_terms terms;
  cutter many{terms};
  for (std::size_t i = 0; i < terms.large_frames; ++i)
    ASSERT_TRUE(many.push(std::string(200 * kib, 'x'), false));
  EXPECT_FALSE(many.push(std::string(200 * kib, 'x'), false));
  cutter heavy{terms};
  ASSERT_TRUE(heavy.push(std::string(largest, 'x'), false));
  ASSERT_TRUE(heavy.push(std::string(largest, 'x'), true));
  EXPECT_FALSE(heavy.push(std::string(200 * kib, 'x'), false)) << "8 MiB together";
}

TEST(pieces, have_bounds_at_the_receiver) {
  const link_terms terms;
  const std::string part(192 * kib, 'x');
  assembler many{terms, largest};
  for (std::uint64_t n = 1; n <= terms.large_frames; ++n)
    ASSERT_FALSE(many.add(n, 200 * kib, part).fault);
  EXPECT_TRUE(many.add(99, 200 * kib, part).fault);
  assembler heavy{terms, largest};
  ASSERT_FALSE(heavy.add(1, largest, part).fault);
  ASSERT_FALSE(heavy.add(2, largest, part).fault);
  EXPECT_TRUE(heavy.add(3, 200 * kib, part).fault);
}

TEST(pieces, that_do_not_fit_are_refused) {
  const link_terms terms;
  const std::string part(100 * kib, 'x');
  auto fault = [&](std::size_t total, std::string_view bytes) {
    assembler one{terms, largest};
    return one.add(1, total, bytes).fault.has_value();
  };
  EXPECT_TRUE(fault(largest + 1, part));
  EXPECT_TRUE(fault(10, part)) << "a small frame does not come in pieces";
  EXPECT_TRUE(fault(300 * kib, "")) << "it would never end";
  EXPECT_TRUE(fault(300 * kib, std::string(193 * kib, 'x')));
  assembler one{terms, largest};
  ASSERT_FALSE(one.add(1, 250 * kib, part).fault);
  EXPECT_TRUE(one.add(1, 251 * kib, part).fault) << "it changes its mind";
  ASSERT_FALSE(one.add(2, 250 * kib, part).fault);
  ASSERT_FALSE(one.add(2, 250 * kib, part).fault);
  EXPECT_TRUE(one.add(2, 250 * kib, part).fault) << "more than it said";
}

} // namespace
