#include "persistence/postgres/seq_book.hpp"

#include <gtest/gtest.h>

namespace rahat::pg {

namespace {

entity_ref entity(int n) {
  return {"probe", derive_id({"entity", std::to_string(n)})};
}

TEST(seq_book, remembers_until_its_bound_and_forgets_the_oldest) {
  seq_book book{100};
  for (int n = 0; n < 1'000; ++n) {
    book.at(entity(n)).seq = static_cast<std::uint64_t>(n);
    ASSERT_LE(book.size(), 102u);
  }
  EXPECT_EQ(book.find(entity(0)), nullptr);
  ASSERT_NE(book.find(entity(999)), nullptr);
  EXPECT_EQ(book.find(entity(999))->seq, 999u);
}

TEST(seq_book, keeps_what_is_met_again) {
  seq_book book{100};
  book.at(entity(0)) = {5, 1, 7, true, false};
  for (int n = 1; n < 1'000; ++n) {
    book.at(entity(n));
    const auto* kept = book.find(entity(0));
    ASSERT_NE(kept, nullptr) << n;
    EXPECT_EQ(kept->incarnation, 5u);
    EXPECT_EQ(kept->seq, 7u);
  }
}

} // namespace

} // namespace rahat::pg
