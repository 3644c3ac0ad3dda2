// Messages between entities: numbered densely, sent until acknowledged, applied once.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

const auto one = probe_ref(1);
const auto two = probe_ref(2);
const auto three = probe_ref(3);

using sent = std::vector<std::pair<entity_ref, std::uint64_t>>;

/// The sender's side alone.
class outbox_alone : public testing::Test {
protected:
  void give(const entity_ref& to, int count) {
    for (int i = 0; i < count; ++i)
      box.committed({to, box.next_number(to), "m"}, now, out);
  }

  host_limits limits{.window = 3};
  outbox box{limits};
  outbox::time_point now{};
  sent seen;
  outbox::send out = [this](auto& to, auto n, auto&) { seen.emplace_back(to, n); };
};

TEST_F(outbox_alone, numbers_are_dense_per_target_and_come_in_order_within_the_window) {
  give(one, 5);
  give(two, 1);
  EXPECT_EQ(seen, (sent{{one, 1}, {one, 2}, {one, 3}, {two, 1}}));
  EXPECT_EQ(box.unacknowledged(), 6u);
}

TEST_F(outbox_alone, an_acknowledgement_is_cumulative_and_opens_the_window) {
  give(one, 5);
  seen.clear();
  EXPECT_TRUE(box.acknowledged(one, 2, now, out));
  EXPECT_EQ(seen, (sent{{one, 4}, {one, 5}}));
  EXPECT_EQ(box.unacknowledged(), 3u);
  EXPECT_FALSE(box.acknowledged(one, 2, now, out)); // again
  EXPECT_FALSE(box.acknowledged(one, 1, now, out)); // late
  EXPECT_FALSE(box.acknowledged(two, 9, now, out)); // from nobody
  EXPECT_TRUE(box.acknowledged(one, 5, now, out));
  EXPECT_EQ(box.unacknowledged(), 0u);
  EXPECT_FALSE(box.next_resend());
}

TEST_F(outbox_alone, what_is_not_acknowledged_is_sent_again_with_backoff) {
  give(one, 4);
  std::vector<std::chrono::milliseconds> gaps;
  for (int i = 0; i < 8; ++i) {
    seen.clear();
    auto at = *box.next_resend();
    EXPECT_EQ(box.resend(at - 1ms, out), 0u);
    EXPECT_EQ(box.resend(at, out), 3u);
    EXPECT_EQ(seen, (sent{{one, 1}, {one, 2}, {one, 3}}));
    gaps.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(at - now));
    now = at;
  }
  EXPECT_EQ(gaps.front(), limits.resend_first);
  EXPECT_EQ(gaps[1], 2 * limits.resend_first);
  EXPECT_EQ(gaps.back(), limits.resend_last);
  box.acknowledged(one, 1, now, out);
  EXPECT_EQ(*box.next_resend() - now, limits.resend_first);
}

TEST_F(outbox_alone, a_snapshot_keeps_the_numbers_given) {
  give(one, 4);
  wire::Snapshot saved;
  box.save(saved);
  outbox other{limits};
  other.load(saved);
  EXPECT_EQ(other.next_number(one), 5u);
  EXPECT_EQ(other.next_number(two), 1u);
}

std::size_t rows_of(const stage& s, const entity_ref& source) {
  std::size_t n = 0;
  for (auto& [key, row] : s.rows->outbox())
    n += std::get<0>(key) == source ? 1 : 0;
  return n;
}

TEST(messages, rows_are_deleted_after_the_acknowledgement_only) {
  stage s;
  s.hosts.lose = 100;
  for (int i = 0; i < 3; ++i)
    s.tell(one, two);
  s.pass(10s);
  EXPECT_EQ(rows_of(s, one), 3u);
  EXPECT_GT(s.counts.sent_again, 3);
  s.hosts.lose = 0;
  s.pass(10s);
  EXPECT_EQ(rows_of(s, one), 0u);
  EXPECT_NE(s.view(two).find(R"("noted":3)"), std::string::npos);
}

TEST(messages, a_gap_is_dropped_and_comes_again) {
  stage s;
  s.add(two);
  s.settle();
  probe::Message m;
  m.set_n(5);
  wire::Told told;
  told.set_message(m.SerializeAsString());
  s.node->tell(one, two, 2, told.SerializeAsString());
  s.settle();
  EXPECT_EQ(s.counts.dead_letters, 1);
  EXPECT_EQ(s.hosts.acknowledged, 0u);
  s.node->tell(one, two, 1, told.SerializeAsString());
  s.node->tell(one, two, 2, told.SerializeAsString());
  s.settle();
  EXPECT_NE(s.view(two).find(R"("noted":2,"note_sum":10)"), std::string::npos);
}

TEST(messages, they_survive_a_restart_of_the_source_and_of_the_target) {
  stage s;
  s.hosts.lose = 100;
  for (int i = 0; i < 5; ++i)
    s.tell(one, two, 10);
  s.settle();
  s.crash();
  s.hosts.lose = 0;
  s.wake();
  s.pass(10s);
  EXPECT_NE(s.view(two).find(R"("noted":5,"note_sum":50)"), std::string::npos) << s.view(two);
  s.crash(); // numbers go on where they were, also from the journal alone
  s.tell(one, two, 1);
  s.pass(10s);
  EXPECT_NE(s.view(two).find(R"("noted":6,"note_sum":51)"), std::string::npos);
}

TEST(messages, an_entity_may_tell_itself) {
  stage s;
  s.tell(one, one, 4);
  s.pass(1s);
  EXPECT_NE(s.view(one).find(R"("noted":1,"note_sum":4)"), std::string::npos);
  EXPECT_EQ(rows_of(s, one), 0u);
}

TEST(messages, a_target_that_is_parked_stops_its_own_pair_only) {
  stage s;
  auto spoilt = tell_of(two, 1);
  spoilt.mutable_tell()->set_spoil(true);
  s.ask(one, spoilt, s.fresh_key());
  s.pass(59s);
  ASSERT_EQ(s.counts.parked, 1);
  s.tell(one, three, 6);
  s.pass(1s);
  EXPECT_NE(s.view(three).find(R"("note_sum":6)"), std::string::npos);
}

class lossy : public testing::TestWithParam<int> {};

/// Loss, repetition and reordering, and either side dropped at any point: over hundreds of seeds
/// each message is applied once, in order.
TEST_P(lossy, delivery_applies_each_message_once) {
  for (std::uint64_t k = 1; k <= 50; ++k) {
    auto seed = static_cast<std::uint64_t>(GetParam()) * 1'000 + k;
    SCOPED_TRACE("seed " + std::to_string(seed));
    host_limits l;
    l.window = 4;
    stage s(seed, l);
    s.hosts.lose = s.hosts.repeat = s.hosts.shuffle = 30;
    int crashes = 4;
    std::int64_t sum = 0;
    for (int i = 1; i <= 30; ++i) {
      request r = s.request_of(one, tell_of(two, i), "tell-" + std::to_string(i));
      sum += i;
      hearing h;
      while (!h || h->code() != "ok") { // a client that asks until it hears
        h = s.ask(r);
        for (auto n = s.dice() % 12; n > 0; --n)
          s.step();
        if (crashes > 0 && s.dice() % 20 == 0) {
          --crashes;
          s.crash();
          s.wake();
        } else if (!h->answered()) {
          s.settle();
        } else if (h->code() != "ok") {
          s.pass(20ms);
        }
      }
    }
    s.pass(120s);
    auto want = R"("noted":30,"note_sum":)" + std::to_string(sum);
    ASSERT_NE(s.view(two).find(want), std::string::npos) << s.view(two);
    ASSERT_EQ(rows_of(s, one), 0u);
    ASSERT_EQ(s.counts.mailbox, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(messages, lossy, testing::Range(1, 7));

} // namespace
} // namespace rahat
