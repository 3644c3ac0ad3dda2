// What becomes of commits, loads and shards when a writer's thread dies, and when it comes back.
#include "tests/integration/store/store_kit.hpp"
#include "tests/support/eventually.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <future>

namespace rahat::test {

namespace {

constexpr auto long_enough = std::chrono::seconds{30};

/// One commit's outcome; a second one fails the test.
class hearer final : public commit_listener {
public:
  void committed(std::uint64_t, std::uint64_t position) override { said_.set_value(position); }
  void failed(std::uint64_t, const commit_refusal& why) override { said_.set_value(why.why); }

  std::variant<std::uint64_t, commit_failure> outcome() {
    auto future = said_.get_future();
    if (future.wait_for(long_enough) != std::future_status::ready)
      throw std::runtime_error("the listener was never told");
    return future.get();
  }

private:
  std::promise<std::variant<std::uint64_t, commit_failure>> said_;
};

class writer_death : public testing::Test {
protected:
  writer_death() {
    pg::store_options how;
    how.before_batch = [this](unsigned) {
      if (deadly_.exchange(false))
        throw std::logic_error("killed by a test");
    };
    kit_ = std::make_unique<store_kit>(how, [this](std::vector<shard_id> shards) {
      for (auto s : shards)
        if (s == shard_of(self_))
          ++fenced_;
    });
  }

  /// Its owner's part: starts the writer where it is down, and hears of its death.
  void watch() {
    died_ = {};
    for (auto& part : kit_->store().parts())
      if (part.name == "writer-0")
        part.start([this](const std::string& reason) { died_.set_value(reason); });
  }

  std::string reason_of_death() {
    auto future = died_.get_future();
    if (future.wait_for(long_enough) != std::future_status::ready)
      throw std::runtime_error("nobody was told of the death");
    return future.get();
  }

  bool load(std::uint64_t incarnation) {
    std::promise<bool> done;
    kit_->store().load(self_, incarnation, 1, [&](outcome<loaded_entity> o) {
      done.set_value(std::holds_alternative<loaded_entity>(o));
    });
    return done.get_future().get();
  }

  std::shared_ptr<hearer> send(std::uint64_t incarnation, std::uint64_t seq) {
    auto c = probe_commit(self_, incarnation, seq);
    wire::Commit payload;
    payload.add_events("event");
    c.payload = payload.SerializeAsString();
    auto listener = std::make_shared<hearer>();
    kit_->store().write(std::move(c), listener);
    return listener;
  }

  void expect_committed(std::uint64_t incarnation, std::uint64_t seq, std::uint64_t position) {
    auto said = send(incarnation, seq)->outcome();
    ASSERT_EQ(said.index(), 0U) << "refused";
    EXPECT_EQ(std::get<0>(said), position);
  }

  void expect_refused(std::uint64_t incarnation, std::uint64_t seq, commit_failure why) {
    auto said = send(incarnation, seq)->outcome();
    ASSERT_EQ(said.index(), 1U) << "committed";
    EXPECT_EQ(std::get<1>(said), why);
  }

  /// A first commit lands, then the writer dies with the second in its hands.
  void live_and_die() {
    watch();
    ASSERT_TRUE(load(1));
    expect_committed(1, 1, 1);
    deadly_ = true;
    expect_refused(1, 2, commit_failure::unavailable);
    EXPECT_EQ(reason_of_death(), "killed by a test");
  }

  const entity_ref self_{"probe", derive_id({"the one"})};
  std::atomic<bool> deadly_{false};
  std::atomic<int> fenced_{0};
  std::promise<std::string> died_;
  std::unique_ptr<store_kit> kit_;
};

TEST_F(writer_death, who_waits_for_it_hears_and_its_credit_is_given_back) {
  live_and_die();
  expect_refused(1, 3, commit_failure::unavailable);
  EXPECT_FALSE(load(2)) << "there is nobody to pass the barrier at";
  EXPECT_EQ(kit_->store().writer_credit(shard_of(self_)), kit_->options().writer_bytes);
}

TEST_F(writer_death, restarted_it_takes_nothing_of_before_without_a_load) {
  live_and_die();
  watch();
  expect_refused(1, 3, commit_failure::superseded); // it followed the one that was lost
  expect_refused(1, 2, commit_failure::superseded);
  ASSERT_TRUE(load(2));
  expect_committed(2, 2, 2);
  EXPECT_EQ(kit_->sql("SELECT FROM journal").size(), 2U);
}

TEST_F(writer_death, restarted_it_goes_on_from_the_heads_of_the_database) {
  live_and_die();
  kit_->sql("UPDATE shard SET head_position = 7 WHERE shard = " + std::to_string(shard_of(self_)));
  watch();
  ASSERT_TRUE(load(2));
  expect_committed(2, 2, 8);
  EXPECT_EQ(fenced_, 0);
}

TEST_F(writer_death, a_shard_that_was_lost_meanwhile_is_fenced_before_anybody_writes) {
  live_and_die();
  kit_->fence(shard_of(self_));
  watch();
  EXPECT_TRUE(eventually([&] { return fenced_ == 1; }));
  EXPECT_FALSE(load(2));
}

TEST_F(writer_death, a_shard_that_was_taken_meanwhile_is_not_forgotten) {
  live_and_die();
  kit_->take_over(shard_of(self_));
  watch();
  ASSERT_TRUE(load(2));
  expect_committed(2, 2, 2);
  EXPECT_EQ(fenced_, 0);
}

TEST_F(writer_death, it_comes_back_when_the_database_does) {
  live_and_die();
  kit_->line().away();
  watch();
  auto loaded = std::async(std::launch::async, [this] { return load(2); });
  kit_->line().back();
  EXPECT_TRUE(loaded.get()) << "what came while it recovered has waited";
  expect_committed(2, 2, 2);
}

TEST_F(writer_death, a_stop_while_it_is_dead_ends_in_order) {
  live_and_die();
  kit_->close();
  expect_refused(1, 3, commit_failure::unavailable);
}

} // namespace

} // namespace rahat::test
