#include "runtime/entity/evicted_ids.hpp"
// Snapshots: a cache of a committed state, never more.
#include "tests/unit/entity/stage.hpp"

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

const auto one = probe_ref(1);
const auto two = probe_ref(2);

host_limits often() {
  host_limits l;
  l.snapshot_floor_bytes = 200;
  l.request_ring = 8;
  l.speculative = 7;
  return l;
}

std::optional<snapshot_row> snapshot_of(const stage& s, const entity_ref& e) {
  return s.rows->with([&](memory::tables& t) -> std::optional<snapshot_row> {
    auto found = t.snapshots.find(e);
    if (found == t.snapshots.end())
      return std::nullopt;
    return found->second;
  });
}

TEST(snapshots, are_written_when_the_tail_has_grown_as_long_as_the_last_one) {
  stage s(0, often());
  std::vector<std::uint64_t> at;
  std::uint64_t bytes = 0;
  for (int i = 0; i < 200; ++i) {
    s.add(one);
    s.settle();
    auto last = snapshot_of(s, one);
    if (last && (at.empty() || at.back() != last->seq)) {
      std::size_t tail = 0;
      for (auto& row : s.rows->journal_of(one))
        if (row.seq > (at.empty() ? 0 : at.back()))
          tail += row.payload.size();
      EXPECT_GE(tail, std::max<std::size_t>(200, bytes));
      at.push_back(last->seq);
      bytes = last->body.size();
    }
  }
  EXPECT_GE(at.size(), 4u);
  EXPECT_LE(at.size(), 60u);
  EXPECT_EQ(s.db->snapshot_failures(), 0u);
}

TEST(snapshots, are_never_of_what_has_not_committed) {
  auto l = often();
  l.snapshot_floor_bytes = 1; // each commit
  stage s(0, l);
  s.attempts = 2;
  s.crash();
  s.add(one);
  s.settle();
  ASSERT_EQ(snapshot_of(s, one)->seq, 1u);
  s.add(one, 100);
  s.hosts.run_all();
  s.db->faults().down();
  s.settle();
  s.db->faults().heal();
  s.pass(5s);
  EXPECT_EQ(snapshot_of(s, one)->seq, 1u);
  EXPECT_EQ(s.db->snapshot_failures(), 0u);
  EXPECT_EQ(s.view(one).substr(0, 8), R"({"sum":1)");
}

TEST(snapshots, of_another_evolve_version_are_not_read) {
  stage s(0, often());
  for (int i = 0; i < 50; ++i) {
    s.add(one);
    s.settle();
  }
  ASSERT_TRUE(snapshot_of(s, one));
  s.rows->with([&](memory::tables& t) { t.snapshots.at(one).body = "rubbish"; });
  auto before = s.commits(one);
  s.crash(); // no host is left that knows the former kind
  s.kinds = {};
  s.kinds.add(newer_probe_kind());
  EXPECT_EQ(s.view(one).substr(0, 9), R"({"sum":50)");
  EXPECT_EQ(s.commits(one), before);
}

TEST(snapshots, keep_the_request_ids) {
  host_limits l;
  l.snapshot_floor_bytes = 200;
  stage s(0, l);
  auto first = s.ask(one, add_of(5), "k");
  for (int i = 0; i < 50; ++i) {
    s.add(one);
    s.settle();
  }
  ASSERT_TRUE(snapshot_of(s, one));
  s.crash();
  auto again = s.ask(one, add_of(5), "k");
  s.settle();
  EXPECT_EQ(again->body(), first->body());
  EXPECT_EQ(s.commits(one), 51u);
}

TEST(snapshots, keep_the_timers) {
  stage s(0, often());
  s.ask(one, timer_of("t", s.time.now_us() + 3'600'000'000), s.fresh_key());
  for (int i = 0; i < 50; ++i) {
    s.add(one);
    s.settle();
  }
  ASSERT_TRUE(snapshot_of(s, one));
  s.crash();
  s.time.advance_us(3'600'000'000);
  s.wake();
  s.pass(1s);
  EXPECT_NE(s.view(one).find(R"("fired":1)"), std::string::npos);
}

TEST(snapshots, that_cannot_be_read_end_in_parking_not_in_a_wrong_state) {
  stage s(0, often());
  for (int i = 0; i < 50; ++i) {
    s.add(one);
    s.settle();
  }
  s.rows->with([&](memory::tables& t) { t.snapshots.at(one).body = "rubbish"; });
  s.crash();
  auto h = s.look(one);
  s.settle();
  EXPECT_EQ(h->code(), "unavailable");
  s.pass(30s);
  EXPECT_EQ(s.counts.parked, 1);
}

/// Whatever happened to it: snapshot + tail and the whole journal give the same entity.
TEST(snapshots, replay_gives_the_same_as_the_whole_journal) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    stage s(seed, often());
    auto pending = s.fresh_key();
    probe::Command postpone;
    postpone.set_postpone(true);
    s.ask(one, postpone, pending);
    for (int i = 0; i < 40; ++i) {
      switch (s.dice() % 4) {
        case 0: s.add(one, static_cast<std::int64_t>(s.dice() % 100)); break;
        case 1: s.tell(one, two, 3); break;
        case 2: s.tell(two, one, 5); break;
        default: s.ask(one, timer_of("t", s.time.now_us() + 3'600'000'000), s.fresh_key());
      }
      for (auto n = s.dice() % 20; n > 0; --n)
        s.step();
    }
    s.pass(10s);
    ASSERT_TRUE(snapshot_of(s, one));
    s.crash();
    auto with = s.view(one);
    s.crash();
    s.rows->with([](memory::tables& t) { t.snapshots.clear(); });
    EXPECT_EQ(s.view(one), with);
    // Numbers, inbox marks and ring went the same way.
    s.tell(one, two, 0);
    s.tell(two, one, 0);
    auto again = s.ask(one, postpone, pending);
    probe::Command answer;
    answer.set_answer(true);
    s.ask(one, answer, s.fresh_key());
    s.pass(10s);
    EXPECT_EQ(again->times, 1);
    EXPECT_EQ(s.rows->outbox().size(), 0u);
  }
}

TEST(request_ring, keeps_the_last_and_knows_what_it_may_have_forgotten) {
  request_ring ring(3);
  auto id = [](int i) { return derive_id({std::to_string(i)}); };
  for (int i = 1; i <= 3; ++i)
    ring.remember({id(i), 7, i * 100, i == 2});
  EXPECT_FALSE(ring.may_have_forgotten(id(1), 0));
  ring.remember({id(4), 7, 400, false});
  EXPECT_EQ(ring.find(id(1)), nullptr);
  EXPECT_TRUE(ring.may_have_forgotten(id(1), 100));
  EXPECT_FALSE(ring.may_have_forgotten(id(1), 101));
  EXPECT_FALSE(ring.may_have_forgotten(id(9), 100)) << "never came: no store is asked";
  ring.answered(id(2));
  ring.answered(id(1)); // gone: nothing to mark
  EXPECT_FALSE(ring.find(id(2))->pending);
  wire::Snapshot saved;
  ring.save(saved);
  request_ring other(3);
  other.load(saved);
  EXPECT_EQ(other.size(), 3u);
  EXPECT_TRUE(other.may_have_forgotten(id(1), 100));
  other.remember({id(5), 7, 500, false});
  EXPECT_EQ(other.find(id(2)), nullptr) << "the oldest leaves first, also after a restart";
  EXPECT_NE(other.find(id(3)), nullptr);
}

TEST(evicted_ids, never_denies_one_that_came_and_seldom_invents_one) {
  evicted_ids ids;
  auto id = [](const char* who, int i) { return derive_id({who, std::to_string(i)}); };
  constexpr int came = 50'000;
  for (int i = 0; i < came; ++i)
    ids.add(id("came", i), 1'000 + i);
  wire::Snapshot saved;
  ids.save(saved);
  evicted_ids again;
  again.load(saved);
  int invented = 0;
  for (int i = 0; i < came; ++i) {
    ASSERT_TRUE(again.perhaps(id("came", i), 0)) << i;
    invented += again.perhaps(id("never came", i), 0) ? 1 : 0;
  }
  EXPECT_LT(invented, came / 50);
  EXPECT_FALSE(again.perhaps(id("came", 0), 1'000 + came)) << "too long ago to matter";
}

TEST(evicted_ids, are_let_go_when_they_are_older_than_a_request_is_remembered) {
  evicted_ids ids;
  auto id = [](int i) { return derive_id({std::to_string(i)}); };
  for (int i = 0; i < 600'000; ++i)
    ids.add(id(i), 1);
  EXPECT_TRUE(ids.perhaps(id(-1), 1)) << "full: everything may have come";
  auto later = evicted_ids::keep_us + 10;
  ids.add(id(-2), later);
  EXPECT_TRUE(ids.perhaps(id(-2), later));
  EXPECT_FALSE(ids.perhaps(id(-3), 2)) << "what filled it has aged";
}

} // namespace
} // namespace rahat
