#include "persistence/chain/marks.hpp"
#include "persistence/memory/hand_clock.hpp"
#include "persistence/memory/memory_store.hpp"
#include "runtime/decider/account.hpp"

#include <gtest/gtest.h>
#include <future>

/// What only the twin has: its drive, its faults at a chosen moment, its auditor.
namespace rahat {

namespace {

const entity_ref alice{"probe", derive_id({"alice"})};
const entity_ref bob{"probe", derive_id({"bob"})};

struct ear final : commit_listener {
  void committed(std::uint64_t seq, std::uint64_t) override {
    heard.push_back(std::to_string(seq) + " landed");
  }
  void failed(std::uint64_t seq, const commit_refusal& why) override {
    heard.push_back(std::to_string(seq) + " failed");
    last = why.why;
  }
  std::vector<std::string> heard;
  std::optional<commit_failure> last;
};

class twin : public testing::Test {
protected:
  twin() { restart(); }

  void restart() {
    memory_options options;
    options.mode = memory_options::drive::manual;
    options.time = &clock_;
    options.attempts = 3;
    store_.reset();
    store_ = std::make_unique<memory_store>(rows_, options);
  }

  std::uint64_t load(const entity_ref& entity) {
    std::uint64_t seq = 0;
    store_->load(entity, ++incarnation_, 1, [&](outcome<loaded_entity> o) {
      auto& tail = std::get<loaded_entity>(o).tail;
      seq = tail.empty() ? 0 : tail.back().seq;
    });
    store_->run_all();
    return seq;
  }

  commit make(const entity_ref& entity, std::uint64_t seq) {
    commit c;
    c.entity = entity;
    c.shard = shard_of(entity);
    c.incarnation = incarnation_;
    c.seq = seq;
    c.type = "probe.noted";
    return c;
  }

  std::shared_ptr<ear> write(commit c) {
    auto e = std::make_shared<ear>();
    store_->write(std::move(c), e);
    return e;
  }

  hand_clock clock_;
  std::shared_ptr<memory_database> rows_ = std::make_shared<memory_database>();
  std::unique_ptr<memory_store> store_;
  std::uint64_t incarnation_ = 0;
};

} // namespace

TEST_F(twin, does_nothing_until_it_is_driven) {
  load(alice);
  auto heard = write(make(alice, 1));
  EXPECT_FALSE(store_->idle());
  EXPECT_TRUE(rows_->journal().empty());
  EXPECT_TRUE(store_->run_one()); // takes the batch
  EXPECT_TRUE(store_->run_one()); // sends it
  EXPECT_EQ(rows_->journal().size(), 1u);
  EXPECT_TRUE(heard->heard.empty()) << "landing and hearing of it are two steps";
  EXPECT_TRUE(store_->run_one());
  EXPECT_EQ(heard->heard, std::vector<std::string>{"1 landed"});
  EXPECT_TRUE(store_->idle());
  EXPECT_FALSE(store_->run_one());
}

TEST_F(twin, crash_between_landing_and_hearing_keeps_the_row) {
  load(alice);
  auto heard = write(make(alice, 1));
  store_->run_one();
  store_->run_one();
  store_->crash();
  EXPECT_FALSE(store_->run_one());
  EXPECT_TRUE(heard->heard.empty());
  restart();
  EXPECT_EQ(load(alice), 1u);
}

TEST_F(twin, crash_before_the_statement_loses_the_commit) {
  load(alice);
  write(make(alice, 1));
  store_->crash();
  restart();
  EXPECT_EQ(load(alice), 0u);
}

TEST_F(twin, stopping_fails_what_is_queued_as_unavailable) {
  load(alice);
  auto heard = write(make(alice, 1));
  std::optional<errc> code;
  store_->find_request(
      alice, {}, [&](outcome<std::optional<request_row>> o) { code = std::get<error>(o).code; });
  store_.reset();
  EXPECT_EQ(heard->last, commit_failure::unavailable);
  EXPECT_EQ(code, errc::unavailable);
  EXPECT_TRUE(rows_->journal().empty());
}

TEST_F(twin, slow_takes_more_steps) {
  load(alice);
  store_->faults().slow(10, std::chrono::milliseconds(0));
  auto heard = write(make(alice, 1));
  for (int i = 0; i < 10; ++i)
    store_->run_one();
  EXPECT_TRUE(rows_->journal().empty());
  EXPECT_TRUE(heard->heard.empty());
  store_->run_all();
  EXPECT_EQ(heard->heard.size(), 1u);
}

TEST_F(twin, a_fence_strikes_at_its_moment) {
  load(alice);
  store_->faults().fence(shard_of(alice), 2);
  auto first = write(make(alice, 1));
  store_->run_all();
  auto second = write(make(alice, 2));
  store_->run_all();
  auto third = write(make(alice, 3));
  store_->run_all();
  EXPECT_FALSE(first->last);
  EXPECT_FALSE(second->last);
  EXPECT_EQ(third->last, commit_failure::fenced);
  EXPECT_EQ(rows_->journal().size(), 2u);
}

TEST_F(twin, gives_up_after_its_attempts) {
  load(alice);
  store_->faults().down();
  auto first = write(make(alice, 1));
  store_->run_all();
  EXPECT_EQ(first->last, commit_failure::unavailable);
  auto second = write(make(alice, 2));
  store_->run_all();
  EXPECT_EQ(second->last, commit_failure::superseded);
  std::optional<errc> code;
  store_->load(alice, 9, 1, [&](outcome<loaded_entity> o) { code = std::get<error>(o).code; });
  store_->run_all();
  EXPECT_EQ(code, errc::unavailable);
  store_->faults().heal();
  EXPECT_EQ(load(alice), 0u);
}

TEST_F(twin, a_short_outage_goes_unnoticed) {
  load(alice);
  store_->faults().down(2);
  auto heard = write(make(alice, 1));
  store_->run_all();
  EXPECT_EQ(heard->heard, std::vector<std::string>{"1 landed"});
}

TEST_F(twin, a_lost_reply_followed_by_an_outage_is_resolved_by_the_next_load) {
  load(alice);
  store_->faults().lose_reply();
  auto heard = write(make(alice, 1));
  store_->run_one();
  store_->run_one();
  store_->faults().down();
  store_->run_all();
  EXPECT_EQ(heard->last, commit_failure::unavailable);
  store_->faults().heal();
  EXPECT_EQ(load(alice), 1u) << "it had landed";
  auto next = write(make(alice, 2));
  store_->run_all();
  EXPECT_EQ(next->heard, std::vector<std::string>{"2 landed"}) << "the writer fenced itself";
}

TEST_F(twin, a_commit_that_landed_is_reported_though_the_shard_was_taken_again) {
  load(alice);
  store_->faults().lose_reply();
  auto heard = write(make(alice, 1));
  store_->run_one();
  store_->run_one();
  store_->take_over(shard_of(alice));
  store_->run_all();
  EXPECT_EQ(heard->heard, std::vector<std::string>{"1 landed"});
  EXPECT_EQ(load(alice), 1u);
}

TEST_F(twin, poison_that_wears_off_lets_the_entity_go_on) {
  load(alice);
  store_->faults().poison(alice, 1);
  EXPECT_EQ((write(make(alice, 1)), store_->run_all(), rows_->journal().size()), 0u);
  load(alice);
  write(make(alice, 1));
  store_->run_all();
  EXPECT_EQ(rows_->journal().size(), 1u);
}

TEST_F(twin, another_generation_fences_everybody) {
  load(alice);
  rows_->new_generation();
  auto heard = write(make(alice, 1));
  store_->run_all();
  EXPECT_EQ(heard->last, commit_failure::fenced);
  restart();
  EXPECT_EQ(load(alice), 0u);
}

TEST_F(twin, a_head_that_moved_under_the_same_epoch_is_a_fence) {
  load(alice);
  rows_->with([](memory::tables& db) { ++db.shards.at(shard_of(alice)).head_position; });
  auto heard = write(make(alice, 1));
  store_->run_all();
  EXPECT_EQ(heard->last, commit_failure::fenced);
  EXPECT_TRUE(rows_->journal().empty());
}

TEST_F(twin, of_two_nodes_the_later_taker_writes) {
  load(alice);
  memory_options options;
  options.mode = memory_options::drive::manual;
  options.take_all_shards = false;
  memory_store other{rows_, options};
  other.take_over(shard_of(alice));
  auto heard = write(make(alice, 1));
  store_->run_all();
  EXPECT_EQ(heard->last, commit_failure::fenced);
  bool loaded = false;
  other.load(alice, 1, 1, [&](outcome<loaded_entity> o) { loaded = o.index() == 0; });
  other.run_all();
  EXPECT_TRUE(loaded);
}

TEST_F(twin, reads_beyond_the_bound_are_overloaded) {
  std::size_t overloaded = 0;
  for (std::size_t i = 0; i < memory_store::waiting_reads + 3; ++i)
    store_->document("probe", {}, [&](std::variant<std::string, error> o) {
      overloaded += std::get<error>(o).code == errc::overloaded;
    });
  store_->run_all();
  EXPECT_EQ(overloaded, 3u);
}

TEST_F(twin, queued_bytes_use_up_the_writers_credit) {
  load(alice);
  auto c = make(alice, 1);
  c.payload.assign(memory_store::writer_bytes, 'x');
  write(c);
  EXPECT_LE(store_->writer_credit(c.shard), 0);
  store_->run_all();
  EXPECT_EQ(store_->writer_credit(c.shard), memory_store::writer_bytes);
}

TEST_F(twin, snapshots_of_uncommitted_seqs_are_not_saved) {
  store_->save_snapshot({alice, 1, 1, "a state that never was"});
  store_->run_all();
  EXPECT_EQ(store_->snapshot_failures(), 1u);
  EXPECT_TRUE(rows_->copy().snapshots.empty());
}

TEST_F(twin, the_same_calls_give_the_same_hashes) {
  auto run = [] {
    hand_clock time;
    auto rows = std::make_shared<memory_database>();
    memory_options options;
    options.mode = memory_options::drive::manual;
    options.time = &time;
    memory_store store{rows, options};
    store.faults().lose_reply(3);
    for (int i = 0; i < 50; ++i) {
      entity_ref e{"probe", derive_id({std::to_string(i)})};
      store.load(e, 1, 1, [&store, e](outcome<loaded_entity>) {
        commit c;
        c.entity = e;
        c.shard = shard_of(e);
        c.incarnation = 1;
        c.seq = 1;
        store.write(c, std::make_shared<ear>());
      });
    }
    auto steps = store.run_all();
    std::string hashes;
    for (auto& row : rows->journal())
      hashes += row.hash;
    return std::pair{steps, hashes};
  };
  auto first = run();
  EXPECT_EQ(first.second.size(), 50u * 32);
  EXPECT_EQ(first, run());
}

TEST(threaded_twin, slow_operations_end) {
  memory_store store{std::make_shared<memory_database>()};
  store.faults().slow(0, std::chrono::milliseconds(5));
  std::promise<bool> loaded;
  store.load(alice, 1, 1, [&](outcome<loaded_entity> o) { loaded.set_value(o.index() == 0); });
  auto answer = loaded.get_future();
  ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(answer.get());
}

// ---- the auditor ----------------------------------------------------------------------------

class books : public twin {
protected:
  /// Alice funds herself from outside and sends 30 to Bob.
  void SetUp() override {
    load(alice);
    auto c = make(alice, 1);
    c.accounts = {opened(alice, "outside"), opened(alice, "budget")};
    c.transfers = {
        moved("fund", account_of(alice, "outside"), account_of(alice, "budget"), 100, alice)};
    c.totals = {{"NPR", 0}};
    write_marked(c);
    c = make(alice, 2);
    c.transfers = {moved("send", account_of(alice, "budget"), account_of(bob, "budget"), 30, bob)};
    c.totals = {{"NPR", -30}};
    c.outbox = {{bob, 1, "told"}};
    write_marked(c);
    load(bob);
    c = make(bob, 1);
    c.accounts = {opened(bob, "budget")};
    write_marked(c);
  }

  void bob_hears() {
    auto c = make(bob, 2);
    c.totals = {{"NPR", 30}};
    wire::Commit payload;
    assign(*payload.mutable_inbox()->mutable_source(), alice);
    payload.mutable_inbox()->set_n(1);
    c.payload = payload.SerializeAsString();
    write_marked(c);
  }

  account_range opened(const entity_ref& owner, std::string role) {
    auto id = account_of(owner, role);
    return {id, id, {}, "NPR", role};
  }

  transfer moved(std::string why, uuid from, uuid to, std::int64_t amount_minor, entity_ref owner) {
    return {purpose_of(alice, why, "1"), from, to, amount_minor, "NPR", std::move(owner), why, {}};
  }

  void write_marked(commit c) {
    wire::Commit payload;
    payload.ParseFromString(c.payload);
    chain::add_marks(payload, c.transfers, c.payments);
    for (auto& m : c.outbox) {
      auto& mark = *payload.add_outbox();
      assign(*mark.mutable_target(), m.target);
      mark.set_n(m.n);
    }
    c.payload = payload.SerializeAsString();
    auto heard = write(c);
    store_->run_all();
    ASSERT_FALSE(heard->last) << heard->heard.back();
  }

  void expect_fault(const std::function<void(memory::tables&)>& tamper, const std::string& words) {
    rows_->with(tamper);
    auto faults = rows_->check_books();
    std::string all;
    for (auto& fault : faults)
      all += fault + "\n";
    EXPECT_NE(all.find(words), std::string::npos) << "found only: " << all;
  }
};

TEST_F(books, balance_before_and_after_the_notice) {
  EXPECT_EQ(rows_->check_books(), std::vector<std::string>{}) << "the notice is on its way";
  bob_hears();
  EXPECT_EQ(rows_->check_books(), std::vector<std::string>{});
}

TEST_F(books, a_total_that_is_not_its_transfers_is_found) {
  expect_fault(
      [](auto& db) {
        db.totals.at({alice, "NPR"}).amount_minor += 1;
      },
      "its transfers sum to");
}

TEST_F(books, a_notice_that_was_never_applied_but_counted_is_found) {
  expect_fault([](auto& db) { db.totals[{bob, "NPR"}] = {1, 30}; }, "its transfers sum to");
}

TEST_F(books, an_altered_transfer_is_found) {
  expect_fault(
      [](auto& db) {
        db.transfers.at({purpose_of(alice, "fund", "1"), 0}).credit = account_of(bob, "budget");
      },
      "not those which the journal marks");
}

TEST_F(books, a_removed_transfer_is_found) {
  expect_fault([](auto& db) { db.transfers.erase(db.transfers.begin()); },
               "not those which the journal marks");
}

TEST_F(books, an_added_transfer_is_found) {
  expect_fault(
      [](auto& db) {
        db.transfers[{derive_id({"x"}), 0}] = db.transfers.begin()->second;
      },
      "no journal row marks");
}

TEST_F(books, an_altered_journal_row_is_found) {
  expect_fault([](auto& db) { db.journal.begin()->second.principal = "somebody else"; },
               "breaks at position");
}

TEST_F(books, a_cut_off_tail_is_found) {
  expect_fault(
      [](auto& db) {
        auto last = std::prev(db.positions.end());
        db.journal.erase(last->second);
        db.positions.erase(last);
      },
      "is not its last row");
}

TEST_F(books, an_account_below_zero_is_found) {
  expect_fault(
      [](auto& db) {
        for (auto& [id, row] : db.accounts)
          row.range.role = "budget";
      },
      "is below zero");
}

TEST_F(books, an_account_that_nobody_opened_is_found) {
  expect_fault([](auto& db) { db.accounts.erase(account_of(bob, "budget")); }, "nobody has opened");
}

} // namespace rahat
