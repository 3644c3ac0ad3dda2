// What the table cannot say: bounds, late and stale news, order, threads.
#include "tests/support/eventually.hpp"
#include "tests/unit/driving/fakes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using cluster::shard_phase;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr shard_id shard = 7;

// -- bounds ---------------------------------------------------------------------------------

TEST(mover, drains_four_at_once_and_keeps_the_others_open) {
  mover_scene s;
  for (shard_id i = 0; i < 6; ++i)
    s.bring(i, shard_phase::open);
  s.moves->release({0, 1, 2, 3, 4, 5});
  s.moves->release({4, 5, 5});
  EXPECT_EQ(s.moves->count(shard_phase::draining), 4u);
  EXPECT_EQ(s.moves->count(shard_phase::open), 2u);
  EXPECT_THAT(s.moves->leaving(), UnorderedElementsAre(0, 1, 2, 3, 4, 5)) << "said to `step` once";
  s.hosts.handed_over[2].second();
  EXPECT_EQ(s.hosts.handed_over.size(), 4u) << "what gives up counts as well";
  s.writers.given_up[0].second(shard_grant{2, 5, 72, {}});
  EXPECT_EQ(s.hosts.handed_over.size(), 4u) << "nobody can take it before it is released";
  s.tables.releases[0].second(swap::done);
  EXPECT_EQ(s.hosts.handed_over.size(), 5u);
  EXPECT_EQ(s.moves->phase(4), shard_phase::draining);
  s.moves->fenced({{0, 5}});
  EXPECT_EQ(s.moves->phase(5), shard_phase::draining);
  EXPECT_THAT(s.moves->leaving(), UnorderedElementsAre(1, 3, 4, 5));
  EXPECT_EQ(s.moves->held(), 4u);
}

TEST(mover, drains_on_when_rows_say_that_those_before_are_lost) {
  mover_scene s;
  for (shard_id i = 0; i < 5; ++i)
    s.bring(i, shard_phase::open);
  s.moves->release({0, 1, 2, 3, 4});
  for (shard_id i = 0; i < 4; ++i)
    s.seen.shards[i] = {mover_scene::other, 6};
  s.moves->rows_read(s.seen);
  EXPECT_EQ(s.moves->phase(4), shard_phase::draining);
}

TEST(mover, forgets_that_a_shard_waits_to_drain_when_it_is_lost) {
  mover_scene s({.draining = 1});
  s.bring(0, shard_phase::open);
  s.bring(1, shard_phase::open);
  s.moves->release({0, 1});
  s.moves->fenced({{1, 5}});
  EXPECT_THAT(s.moves->leaving(), ElementsAre(0));
  s.bring(1, shard_phase::open);
  s.moves->fenced({{0, 5}});
  EXPECT_EQ(s.moves->phase(1), shard_phase::open) << "nobody has asked to release it again";
}

TEST(mover, cuts_a_drain_short_after_900_ms_once) {
  mover_scene s;
  s.bring(shard, shard_phase::draining);
  s.forget();
  s.tick_after(899ms);
  EXPECT_THAT(s.events, IsEmpty());
  s.tick_after(1ms);
  s.tick_after(899ms);
  EXPECT_THAT(s.events, ElementsAre("drop"));
  EXPECT_THAT(s.told, ElementsAre("cut_short"));
}

TEST(mover, gives_up_a_shard_whose_hosts_never_tell_their_end) {
  mover_scene s;
  s.bring(shard, shard_phase::draining);
  s.tick_after(900ms);
  s.forget();
  s.tick_after(900ms);
  s.tick_after(900ms);
  EXPECT_THAT(s.events, ElementsAre("give_up"));
  s.hosts.handed_over.back().second(); // too late
  EXPECT_THAT(s.events, ElementsAre("give_up"));
  s.writers.given_up.back().second(shard_grant{shard, 5, 72, {}});
  EXPECT_EQ(s.moves->phase(shard), shard_phase::releasing);
}

TEST(mover, gives_up_under_the_epoch_that_it_holds) {
  mover_scene s;
  s.bring(shard, shard_phase::giving_up);
  EXPECT_THAT(s.writers.given_up_epochs, ElementsAre(5));
}

TEST(mover, gives_up_a_shard_whose_drain_was_cut_short) {
  mover_scene s;
  s.hosts.drop_tells = true;
  s.bring(shard, shard_phase::draining);
  s.forget();
  s.tick_after(900ms);
  EXPECT_THAT(s.events, ElementsAre("drop", "give_up"));
  EXPECT_EQ(s.moves->phase(shard), shard_phase::giving_up);
}

TEST(mover, asks_for_a_release_again_after_200_ms_one_at_a_time) {
  mover_scene s;
  s.bring(shard, shard_phase::releasing);
  s.tick_after(500ms);
  EXPECT_EQ(s.tables.releases.size(), 1u) << "an answer is on its way";
  s.tables.releases[0].second(mover_scene::unavailable);
  s.tick_after(0ms);
  ASSERT_EQ(s.tables.releases.size(), 2u);
  s.tables.releases[1].second(mover_scene::unavailable);
  s.tick_after(199ms);
  EXPECT_EQ(s.tables.releases.size(), 2u);
  s.tick_after(1ms);
  ASSERT_EQ(s.tables.releases.size(), 3u);
  EXPECT_EQ(s.tables.releases[2].first.head_position, 72) << "the head that the writer named";
  EXPECT_EQ(s.tables.releases[2].first.epoch, 5);
}

TEST(mover, counts_the_time_from_the_end_of_admission_to_the_release) {
  mover_scene s;
  s.bring(shard, shard_phase::draining);
  s.tick_after(30ms);
  s.hosts.handed_over.back().second();
  s.time.pass(20ms);
  s.writers.given_up.back().second(shard_grant{shard, 5, 72, {}});
  s.time.pass(10ms);
  s.tables.releases.back().second(swap::done);
  EXPECT_DOUBLE_EQ(s.probe.seconds, 0.06);
  EXPECT_EQ(s.counted["released"], 1);
  EXPECT_EQ(s.owners.read()->owners[shard], (cluster::shard_owner{{}, 5}));
}

// -- of the dead ----------------------------------------------------------------------------

TEST(mover, ends_the_sessions_of_a_dead_owner_once_before_its_shards_are_taken) {
  mover_scene s;
  for (shard_id i = 0; i < 3; ++i)
    s.seen.shards[i] = {mover_scene::other, 3};
  s.moves->take({0, 1}, s.seen);
  s.moves->take({2}, s.seen);
  ASSERT_EQ(s.tables.ends.size(), 1u);
  EXPECT_EQ(s.tables.ends[0].first, mover_scene::other);
  EXPECT_THAT(s.tables.takes, IsEmpty());
  s.tables.ends[0].second(2);
  EXPECT_EQ(s.tables.takes.size(), 3u);
  EXPECT_EQ(s.counted["sessions"], 2);
  s.tables.takes[0].second(shard_grant{0, 4, 9, {}});
  EXPECT_EQ(s.counted["taken of the dead"], 1);
  s.seen.shards[9] = {mover_scene::other, 3};
  s.moves->take({9}, s.seen);
  EXPECT_EQ(s.tables.takes.size(), 4u);
  EXPECT_EQ(s.tables.ends.size(), 1u) << "they have been ended";
}

TEST(mover, who_left_in_order_has_nothing_that_would_have_to_end) {
  mover_scene s;
  s.seen.now.members[1].status = cluster::member_status::left;
  s.seen.shards[shard] = {mover_scene::other, 3};
  s.moves->take({shard}, s.seen);
  EXPECT_THAT(s.events, ElementsAre("take"));
}

TEST(mover, ends_the_sessions_of_an_owner_that_is_in_no_view) {
  mover_scene s;
  auto former = mover_scene::me;
  former.incarnation = 0;
  s.seen.shards[shard] = {former, 3};
  s.moves->take({shard}, s.seen);
  EXPECT_THAT(s.events, ElementsAre("end_sessions"));
}

TEST(mover, tries_again_to_end_sessions_that_stay) {
  mover_scene s;
  s.bring(shard, shard_phase::ending);
  s.tables.ends[0].second(mover_scene::unavailable);
  EXPECT_EQ(s.moves->phase(shard), shard_phase::away);
  s.moves->take({shard}, s.seen);
  EXPECT_EQ(s.tables.ends.size(), 2u);
  EXPECT_THAT(s.tables.takes, IsEmpty());
}

/// A process that was thought dead has come back, and its new session holds the row.
TEST(mover, ends_the_sessions_of_the_dead_again_when_a_take_is_not_answered) {
  mover_scene s;
  for (shard_id i = 0; i < 2; ++i)
    s.seen.shards[i] = {mover_scene::other, 3};
  s.moves->take({0, 1}, s.seen);
  s.tables.ends[0].second(1);
  s.tables.takes[0].second(std::optional<shard_grant>{});
  s.moves->take({0}, s.seen);
  EXPECT_EQ(s.tables.ends.size(), 1u) << "refused: no session is in the way";
  s.tables.takes[1].second(mover_scene::unavailable);
  s.moves->take({1}, s.seen);
  ASSERT_EQ(s.tables.ends.size(), 2u);
  EXPECT_EQ(s.moves->phase(1), shard_phase::ending);
  s.tables.ends[1].second(1);
  EXPECT_EQ(s.tables.takes.back().first, 1);
}

TEST(mover, forgets_the_dead_when_no_row_names_them) {
  mover_scene s;
  s.bring(shard, shard_phase::ending);
  s.seen.shards[shard].owner = {};
  s.moves->rows_read(s.seen); // the answer is on its way: not forgotten
  s.tables.ends[0].second(1);
  EXPECT_EQ(s.tables.takes.size(), 1u);
  s.moves->rows_read(s.seen);
  s.seen.shards[8].owner = mover_scene::other;
  s.moves->take({8}, s.seen);
  EXPECT_EQ(s.tables.ends.size(), 2u);
}

// -- stale and late news ----------------------------------------------------------------------

TEST(mover, a_row_read_before_the_take_changes_nothing) {
  mover_scene s;
  s.bring(shard, shard_phase::open);
  s.forget();
  s.row(shard, mover_scene::other, 4);
  s.row(shard, {}, 4);
  s.row(shard, mover_scene::me, 5);
  EXPECT_THAT(s.events, IsEmpty());
  EXPECT_THAT(s.told, IsEmpty());
  EXPECT_EQ(s.moves->phase(shard), shard_phase::open);
}

TEST(mover, a_row_read_before_the_release_changes_nothing) {
  mover_scene s;
  s.bring(shard, shard_phase::releasing);
  s.row(shard, mover_scene::me, 5);
  s.tables.releases.back().second(swap::done);
  s.forget();
  for (int i = 0; i < 3; ++i)
    s.row(shard, mover_scene::me, 5);
  EXPECT_THAT(s.events, IsEmpty());
  EXPECT_EQ(s.moves->phase(shard), shard_phase::away);
}

TEST(mover, a_higher_epoch_drops_the_shard_whoever_has_it) {
  for (auto& owner : {mover_scene::other, mover_scene::me, cluster::member_id{}}) {
    mover_scene s;
    s.bring(shard, shard_phase::open);
    s.forget();
    s.row(shard, owner, 6);
    EXPECT_THAT(s.events, ElementsAre("drop"));
    EXPECT_EQ(s.counted["fenced"], 1);
  }
}

TEST(mover, takes_again_what_a_lost_answer_left_and_under_the_newest_epoch) {
  mover_scene s;
  s.bring(shard, shard_phase::taking);
  s.tables.takes.back().second(mover_scene::unavailable);
  s.row(shard, mover_scene::me, 4);
  ASSERT_EQ(s.tables.takes.size(), 2u);
  s.tables.takes.back().second(shard_grant{shard, 5, 70, {}});
  EXPECT_EQ(s.writers.adopted.at(shard).epoch, 5);
  EXPECT_EQ(s.moves->phase(shard), shard_phase::opening);
}

TEST(mover, does_not_take_its_row_of_another_generation_by_itself) {
  mover_scene s;
  s.seen.shards[shard] = {mover_scene::me, 9, false};
  s.moves->rows_read(s.seen);
  EXPECT_THAT(s.events, IsEmpty());
}

/// Fenced by mistake, given up although its head moved on,
/// or not the writer's any more: the row stays ours, and nobody else would take it.
TEST(mover, takes_again_what_it_lost_if_its_row_stays_ours) {
  using cause = std::function<void(mover_scene&)>;
  const std::pair<shard_phase, cause> causes[] = {
      {shard_phase::open,
       [](mover_scene& s) {
         s.moves->fenced({{shard, 5}});
       }},
      {shard_phase::giving_up,
       [](mover_scene& s) { s.writers.given_up.back().second(mover_scene::unavailable); }},
      {shard_phase::releasing,
       [](mover_scene& s) { s.tables.releases.back().second(swap::refused); }}};
  for (auto& [phase, happens] : causes) {
    mover_scene s;
    s.bring(shard, phase);
    happens(s);
    EXPECT_EQ(s.moves->phase(shard), shard_phase::away);
    s.forget();
    s.row(shard, mover_scene::me, 5);
    EXPECT_THAT(s.events, IsEmpty()) << "this reading may have begun before";
    s.row(shard, mover_scene::me, 5);
    EXPECT_THAT(s.events, ElementsAre("take"));
  }
}

/// The writer's word about an epoch that this node has lost and taken again since.
TEST(mover, a_late_word_that_a_former_epoch_was_fenced_changes_nothing) {
  for (auto phase : {shard_phase::opening, shard_phase::open, shard_phase::draining}) {
    mover_scene s;
    s.bring(shard, phase);
    s.forget();
    s.moves->fenced({{shard, 4}});
    EXPECT_THAT(s.events, IsEmpty());
    EXPECT_EQ(s.moves->phase(shard), phase);
    s.moves->fenced({{shard, 5}});
    EXPECT_THAT(s.events, ElementsAre("drop"));
  }
}

TEST(mover, a_late_answer_of_a_former_turn_changes_nothing) {
  mover_scene s;
  s.bring(shard, shard_phase::draining);
  s.moves->fenced({{shard, 5}});
  s.bring(shard, shard_phase::draining);
  s.forget();
  s.hosts.handed_over[0].second();
  EXPECT_EQ(s.moves->phase(shard), shard_phase::draining);
  s.preparing[0].second();
  s.tables.takes[0].second(std::optional<shard_grant>{});
  EXPECT_THAT(s.events, IsEmpty());
  s.hosts.handed_over[1].second();
  EXPECT_EQ(s.moves->phase(shard), shard_phase::giving_up);
}

TEST(mover, makes_late_answers_harmless_when_it_stops) {
  mover_scene s;
  const shard_phase phases[] = {shard_phase::ending,    shard_phase::taking,
                                shard_phase::opening,   shard_phase::draining,
                                shard_phase::giving_up, shard_phase::releasing};
  for (shard_id i = 0; i < std::size(phases); ++i)
    s.bring(i, phases[i]);
  s.moves->stop();
  s.forget();
  s.counted.clear();
  s.moves->take({100}, s.seen);
  s.tick_after(5s);
  s.moves.reset();
  s.tables.ends.back().second(1);
  s.tables.takes[0].second(shard_grant{1, 5, 70, {}});
  s.preparing.front().second();
  s.hosts.handed_over.front().second();
  s.writers.given_up.front().second(shard_grant{4, 5, 70, {}});
  s.tables.releases.back().second(swap::done);
  EXPECT_THAT(s.events, IsEmpty());
  EXPECT_THAT(s.told, IsEmpty());
  EXPECT_THAT(s.counted, IsEmpty());
}

TEST(mover, calls_nothing_more_when_it_is_stopped_from_a_callback) {
  mover_scene s;
  s.tables.called = [&](auto& what) {
    s.events.push_back(what);
    s.moves->stop();
  };
  s.moves->take({0, 1, 2}, s.seen);
  EXPECT_THAT(s.events, ElementsAre("take"));
}

// -- order and threads ------------------------------------------------------------------------

/// Everybody answers before the call returns, and looks at the mover meanwhile, which would wait
/// for ever if it held its lock.
TEST(mover, asks_in_order_and_without_its_lock_when_all_answer_at_once) {
  mover_scene s;
  std::vector<std::string> said;
  auto look = [&](const std::string& what) {
    said.push_back(what);
    s.moves->leaving();
  };
  s.tables.called = [&](auto& what) {
    look(what);
    auto takes = std::exchange(s.tables.takes, {});
    for (auto& [at, done] : takes)
      done(shard_grant{at, 5, 70, {}});
    for (auto& [grant, done] : std::exchange(s.tables.releases, {}))
      done(swap::done);
  };
  s.writers.called = [&](auto& what) {
    look(what);
    for (auto& [at, done] : std::exchange(s.writers.given_up, {}))
      done(shard_grant{at, 5, 72, {}});
  };
  s.hosts.called = [&](auto& what) {
    look(what);
    if (what == "open")
      s.moves->release({shard}); // from within
    for (auto& [at, done] : std::exchange(s.hosts.handed_over, {}))
      done();
  };
  s.moves->take({shard}, s.seen);
  s.preparing.back().second();
  EXPECT_THAT(said, ElementsAre("take", "adopt", "open", "hand_over", "give_up", "release"));
  EXPECT_THAT(s.events, ElementsAre("read_parked", "wake"));
  EXPECT_THAT(s.told, ElementsAre("taken", "released", "read_rows"));
  EXPECT_EQ(s.moves->held(), 0u);
  EXPECT_TRUE(s.owners.read()->owners[shard].free());
}

/// Runs functions on a thread of its own.
class other_thread {
public:
  ~other_thread() {
    post(nullptr);
    thread_.join();
  }

  void post(std::function<void()> f) {
    std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(f));
    changed_.notify_one();
  }

private:
  void run() {
    while (true) {
      std::function<void()> next;
      {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return !waiting_.empty(); });
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      if (!next)
        return;
      next();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::thread thread_{[this] { run(); }}; // last: it uses the rest
};

/// Tables, writers and hosts that answer from other threads, and note what each shard went through.
class busy_house final : public shard_store, public local_shards {
public:
  void adopt(const shard_grant& to) override { note(to.shard, 'a'); }
  void give_up(shard_id at, std::int64_t,
               std::function<void(std::variant<shard_grant, error>)> done) override {
    note(at, 'g');
    writer.post([at, done] { done(shard_grant{at, 5, 72, {}}); });
  }
  void open(shard_id at) override { note(at, 'o'); }
  void hand_over(shard_id at, std::function<void()> done) override {
    note(at, 'h');
    most_draining = std::max(most_draining.load(), ++draining);
    hosts.post([this, done] {
      --draining;
      done();
    });
  }
  void drop(shard_id at) override { note(at, 'd'); }

  void note(shard_id at, char what) {
    std::lock_guard lock{mutex};
    lives[at] += what;
  }

  std::mutex mutex;
  std::array<std::string, shard_count> lives;
  std::atomic<int> draining{0}, most_draining{0};
  other_thread tables, writer, hosts;
};

class answering_tables final : public membership_store {
public:
  explicit answering_tables(busy_house& h) : house(h) {}
  void read(callback<cluster_reading>) override {}
  void change(cluster::member_status, cluster::member_status, std::string, std::int64_t,
              callback<swap>) override {}
  void vote(const cluster::member_id&, callback<swap>) override {}
  void withdraw(const cluster::member_id&, callback<swap>) override {}
  void declare(const cluster::declare_dead&, callback<swap>) override {}
  void wish(const uuid&, bool, callback<swap>) override {}
  void raise_level(std::int32_t, callback<std::string>) override {}
  void end_sessions(const cluster::member_id&, callback<int>) override {}
  void take(shard_id at, callback<std::optional<shard_grant>> done) override {
    house.note(at, 't');
    house.tables.post([at, done] { done(shard_grant{at, 5, 70, {}}); });
  }
  void release(const shard_grant& given, callback<swap> done) override {
    house.note(given.shard, 'r');
    house.tables.post([done] { done(swap::done); });
  }
  busy_house& house;
};

TEST(mover, keeps_the_order_of_each_shard_when_other_threads_answer) {
  busy_house house;
  answering_tables tables{house};
  cluster::shard_map owners;
  hand_clock time;
  cluster::mover_probe probe;
  cluster::mover moves{{.self = mover_scene::me,
                        .db = tables,
                        .writers = house,
                        .hosts = house,
                        .owners = owners,
                        .time = time,
                        .probe = probe,
                        .prepare =
                            [&](shard_id at, std::function<void()> then) {
                              house.note(at, 'p');
                              house.hosts.post(then);
                            },
                        .opened = [&](shard_id at) { house.note(at, 'w'); },
                        .taken = [](auto, auto) {},
                        .released = [](auto, auto) {},
                        .read_soon = [] {}}};
  std::vector<shard_id> all;
  for (shard_id i = 0; i < shard_count; ++i)
    all.push_back(i);
  moves.take(all, cluster_reading{});
  ASSERT_TRUE(eventually([&] { return moves.count(shard_phase::open) == shard_count; }));
  moves.release(all);
  ASSERT_TRUE(eventually([&] { return moves.held() == 0; }));
  moves.stop();
  for (auto& life : house.lives)
    EXPECT_EQ(life, "tapowhgr");
  EXPECT_LE(house.most_draining, 4);
}

TEST(mover, stop_waits_for_what_another_thread_is_in) {
  mover_scene s;
  std::atomic<bool> inside{false}, go{false}, stopped{false};
  s.bring(shard, shard_phase::opening);
  s.hosts.called = [&](auto&) {
    inside = true;
    EXPECT_TRUE(eventually([&] { return go.load(); }));
    EXPECT_FALSE(stopped);
  };
  std::thread opens([&] { s.preparing.back().second(); });
  ASSERT_TRUE(eventually([&] { return inside.load(); }));
  std::thread stops([&] {
    s.moves->stop();
    stopped = true;
  });
  shard_id next = 10;
  ASSERT_TRUE(eventually([&] { // nobody is let in: it has begun to stop
    s.moves->take({++next}, s.seen);
    return s.moves->phase(next) == shard_phase::away;
  }));
  go = true;
  opens.join();
  stops.join();
}

} // namespace
} // namespace rahat::test
