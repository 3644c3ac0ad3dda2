// Lists of any length and any page: each item once, in order, and no page but the only one is
// empty.
#include "actors/disbursement/disbursement.pb.h"
#include "fakes.hpp"
#include "gateways/rest/household.hpp"
#include "gateways/rest/presenters.hpp"

#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;

namespace {

class paging : public testing::Test {
protected:
  rest_test_bed bed;

  static void expect_none_empty(const std::vector<std::vector<std::int64_t>>& pages,
                                const std::string& what) {
    for (std::size_t i = 0; i < pages.size(); ++i)
      EXPECT_TRUE(pages.size() == 1 || !pages[i].empty()) << what << ", page " << i;
  }
};

TEST_F(paging, of_lines) {
  const auto id = id_of("d");
  pb::DisbursementState s;
  s.set_status(pb::DISBURSEMENT_LOCKED);
  s.set_list(id_of("list").raw());
  bed.entities.show({"disbursement", id}, rest::view_of(s, {"disbursement", id}, 1));
  auto& lines = bed.queries.pay_lists[id_of("list")];
  for (std::uint32_t count = 0; count <= 13; ++count) {
    for (auto limit : {1, 2, 3, 5, 12, 13, 14, 200}) {
      auto what = std::to_string(count) + " by " + std::to_string(limit);
      auto found = bed.pages(
          "/v2/disbursements/" + id.str() + "/lines?limit=" + std::to_string(limit), "no");
      expect_none_empty(found, what);
      for (auto& page : found)
        EXPECT_LE(page.size(), static_cast<std::size_t>(limit)) << what;
      auto all = joined(found);
      ASSERT_EQ(all.size(), count) << what;
      for (std::uint32_t no = 0; no < count; ++no)
        EXPECT_EQ(all[no], no) << what;
    }
    lines.push_back({count, id_of("x"), id_of("w"), id_of("b"), 500});
  }
}

TEST_F(paging, of_errors_which_keeps_a_row_whole) {
  const auto id = id_of("u");
  bed.entities.show({"upload", id}, "{}");
  auto& errors = bed.queries.errors[id];
  for (std::uint32_t row = 0; row <= 40; ++row) {
    if (row > 0)
      for (std::uint32_t i = 0; i < 1 + row * 7 % rest::max_errors_a_row; ++i)
        errors.push_back({row, "phone", "is wrong"});
    for (auto limit : {1, 10, 11, 40, 200}) {
      auto what = std::to_string(row) + " rows by " + std::to_string(limit);
      auto found =
          bed.pages("/v2/uploads/" + id.str() + "/errors?limit=" + std::to_string(limit), "row");
      expect_none_empty(found, what);
      auto all = joined(found);
      ASSERT_EQ(all.size(), errors.size()) << what;
      for (std::size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(all[i], errors[i].row) << what;
      for (std::size_t i = 1; i < found.size(); ++i)
        EXPECT_NE(found[i - 1].back(), found[i].front()) << what << ": a row was torn";
      for (auto& page : found)
        EXPECT_TRUE(page.size() <= static_cast<std::size_t>(limit) || page.front() == page.back())
            << what << ": only one row may be longer than a page";
    }
  }
}

TEST_F(paging, of_a_statement) {
  const auto id = id_of("settlement");
  bed.show_settlement(id, 5, 16);
  for (int count = 1; count <= 24; ++count) {
    bed.give_receipts(count);
    std::vector<std::int64_t> wanted;
    for (int no = std::min(count, 16); no >= 5; --no)
      if (no % 3 != 0)
        wanted.push_back(no);
    for (auto limit : {1, 2, 3, 4, 8, 9, 200}) {
      auto what = std::to_string(count) + " receipts by " + std::to_string(limit);
      auto found = bed.pages(
          "/v2/settlements/" + id.str() + "/statement?limit=" + std::to_string(limit), "no");
      expect_none_empty(found, what);
      EXPECT_EQ(joined(found), wanted) << what;
    }
  }
}

} // namespace
