#include "persistence/postgres/work_queue.hpp"

#include <gtest/gtest.h>

namespace rahat::pg {

namespace {

constexpr work_queue::bounds wide{1'000, 1'000'000, 4};

entity_ref entity(int n) {
  return {"probe", derive_id({"entity", std::to_string(n)})};
}

std::unique_ptr<queued_commit> commit_of(int n, std::uint64_t seq, std::size_t bytes = 10) {
  auto c = std::make_unique<queued_commit>();
  c->what.entity = entity(n);
  c->what.seq = seq;
  c->bytes = bytes;
  return c;
}

std::unique_ptr<queued_load> load_of(int n) {
  auto l = std::make_unique<queued_load>();
  l->entity = entity(n);
  return l;
}

std::vector<std::pair<entity_ref, std::uint64_t>> taken(const work_queue::round& r) {
  std::vector<std::pair<entity_ref, std::uint64_t>> out;
  for (auto& c : r.commits)
    out.emplace_back(c->what.entity, c->what.seq);
  return out;
}

TEST(work_queue, goes_round_the_entities_and_keeps_each_ones_order) {
  work_queue q;
  for (std::uint64_t seq = 1; seq <= 3; ++seq)
    q.push(commit_of(1, seq));
  q.push(commit_of(2, 1));
  EXPECT_EQ(q.commits(), 4u);
  const auto r = q.take(wide);
  EXPECT_EQ(taken(r),
            (decltype(taken(r)){{entity(1), 1}, {entity(2), 1}, {entity(1), 2}, {entity(1), 3}}));
  EXPECT_TRUE(q.empty());
  EXPECT_EQ(q.commits(), 0u);
}

TEST(work_queue, a_busy_entity_does_not_starve_others) {
  work_queue q;
  for (std::uint64_t seq = 1; seq <= 100; ++seq)
    q.push(commit_of(1, seq));
  q.push(commit_of(2, 1));
  const auto r = q.take({2, 1'000'000, 4});
  EXPECT_EQ(taken(r), (decltype(taken(r)){{entity(1), 1}, {entity(2), 1}}));
}

TEST(work_queue, stops_at_rows_bytes_and_payments_but_never_takes_nothing) {
  work_queue q;
  for (int n = 0; n < 10; ++n)
    q.push(commit_of(n, 1, 300));
  EXPECT_EQ(q.take({1'000, 700, 4}).commits.size(), 2u);
  EXPECT_EQ(q.take({3, 1'000'000, 4}).commits.size(), 3u);
  EXPECT_EQ(q.take({1, 1, 4}).commits.size(), 1u) << "one beyond the bound goes alone";
  work_queue paying;
  for (int n = 0; n < 10; ++n) {
    auto c = commit_of(n, 1);
    c->what.payments.emplace_back();
    paying.push(std::move(c));
  }
  EXPECT_EQ(paying.take(wide).commits.size(), 4u);
}

TEST(work_queue, a_load_waits_until_no_commit_of_its_entity_is_on_the_way) {
  work_queue q;
  q.push(commit_of(1, 1));
  q.push(load_of(1));
  q.push(commit_of(1, 2)); // of the former host: comes behind the barrier
  q.push(load_of(2));
  auto r = q.take(wide);
  EXPECT_EQ(r.commits.size(), 1u);
  ASSERT_EQ(r.loads.size(), 1u);
  EXPECT_EQ(r.loads[0]->entity, entity(2));
  r = q.take(wide);
  ASSERT_EQ(r.loads.size(), 1u);
  EXPECT_EQ(r.loads[0]->entity, entity(1));
  EXPECT_EQ(r.commits.size(), 1u);
  EXPECT_TRUE(q.empty());
}

} // namespace

} // namespace rahat::pg
