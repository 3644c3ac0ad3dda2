#include "persistence/memory/memory_membership.hpp"
#include "tests/conformance/membership_suite.hpp"

#include <map>

/// The suites for the twin, and what only the twin has: steps and faults.
namespace rahat::conformance {

namespace {

using driven = memory_membership_options::drive;

constexpr std::int64_t some_time_us = 1'767'225'600'000'000;

std::int64_t us(std::chrono::milliseconds t) {
  return std::chrono::microseconds{t}.count();
}

class memory_under_test final : public cluster_under_test {
public:
  explicit memory_under_test(driven how) : how_(how) {}

  std::variant<cluster::member_id, std::string> enrol(const enrolment& who,
                                                      std::chrono::milliseconds ttl) override {
    auto got = rows_->enrol(who, us(ttl));
    if (auto* why = std::get_if<error>(&got))
      return why->message;
    return std::get<cluster::member_id>(got);
  }

  rahat::membership_store& store(const cluster::member_id& me) override {
    auto& mine = nodes_[me];
    if (mine == nullptr) {
      memory_membership_options how;
      how.mode = how_;
      mine = std::make_unique<memory_membership>(rows_, me, how);
    }
    return *mine;
  }

  bool renew(const cluster::member_id& me) override { return rows_->renew(me, us(case_ttl)); }

  void set_lease(const cluster::member_id& of, std::chrono::milliseconds from_now) override {
    rows_->set_lease(of, rows_->clock_us() + us(from_now));
  }

  void age_votes(std::chrono::milliseconds by) override { rows_->age_votes(us(by)); }
  void open_session(const cluster::member_id& of) override { rows_->open_session(of); }
  std::size_t sessions(const cluster::member_id& of) override { return rows_->sessions(of); }

  void move_head(shard_id shard, std::int64_t to) override {
    EXPECT_TRUE(rows_->move_head(shard, rows_->read({}).shards[shard].epoch, to));
  }

  void of_another_generation(shard_id shard) override { rows_->set_generation(shard, "old"); }

  bool drive() override {
    bool any = false;
    for (auto& [id, node] : nodes_)
      any = node->run_one() || node->run_move() || node->run_ending() || any;
    return any;
  }

private:
  const driven how_;
  std::shared_ptr<memory_cluster> rows_ = std::make_shared<memory_cluster>(some_time_us);
  std::map<cluster::member_id, std::unique_ptr<memory_membership>> nodes_;
};

cluster_subject twin(std::string name, driven how) {
  return {std::move(name), [how] { return std::make_unique<memory_under_test>(how); }};
}

auto subjects() {
  return testing::Values(twin("immediate", driven::immediate), twin("by_hand", driven::manual));
}

std::string name_of(const testing::TestParamInfo<cluster_subject>& info) {
  return info.param.name;
}

/// A node of the twin, driven by hand.
class membership_twin : public testing::Test {
protected:
  membership_twin() {
    enrolment who;
    who.node.bytes[0] = 1;
    me = std::get<cluster::member_id>(rows->enrol(who, us(case_ttl)));
    memory_membership_options how;
    how.mode = driven::manual;
    how.waiting_calls = 3;
    node = std::make_unique<memory_membership>(rows, me, how);
  }

  void vote_change() {
    node->change(cluster::member_status::active, cluster::member_status::leaving, "", 2,
                 [this](std::variant<swap, error> got) { heard.push_back(std::move(got)); });
  }

  errc code(std::size_t i) {
    const auto* e = std::get_if<error>(&heard.at(i));
    return e == nullptr ? errc::internal : e->code;
  }

  std::shared_ptr<memory_cluster> rows = std::make_shared<memory_cluster>(some_time_us);
  cluster::member_id me;
  std::unique_ptr<memory_membership> node;
  std::vector<std::variant<swap, error>> heard;
};

} // namespace

INSTANTIATE_TEST_SUITE_P(memory, membership_store, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(memory, shard_ownership, subjects(), name_of);

TEST_F(membership_twin, a_lost_answer_is_a_change_that_nobody_heard_of) {
  node->lose_answers();
  vote_change();
  ASSERT_TRUE(node->run_one());
  EXPECT_EQ(code(0), errc::unavailable);
  EXPECT_EQ(rows->read(me.node).now.find(me)->status, cluster::member_status::leaving);
}

TEST_F(membership_twin, while_the_database_is_away_nothing_happens) {
  node->away(true);
  vote_change();
  ASSERT_TRUE(node->run_one());
  EXPECT_EQ(code(0), errc::unavailable);
  EXPECT_EQ(rows->read(me.node).now.version, 2);
  node->away(false);
  vote_change();
  ASSERT_TRUE(node->run_one());
  EXPECT_EQ(std::get<swap>(heard.at(1)), swap::done);
}

TEST_F(membership_twin, a_promoted_database_is_none) {
  rows->promote("generation 2");
  vote_change();
  ASSERT_TRUE(node->run_one());
  EXPECT_EQ(code(0), errc::unavailable);
  EXPECT_EQ(rows->read(me.node).now.version, 2);
}

TEST_F(membership_twin, slow_calls_take_that_many_steps_more) {
  node->slow(2);
  vote_change();
  ASSERT_TRUE(node->run_one());
  ASSERT_TRUE(node->run_one());
  EXPECT_TRUE(heard.empty());
  ASSERT_TRUE(node->run_one());
  EXPECT_EQ(heard.size(), 1u);
  EXPECT_FALSE(node->run_one());
}

TEST_F(membership_twin, a_reading_does_not_wait_for_a_take) {
  bool taken = false, was_read = false;
  node->take(1, [&](auto) { taken = true; });
  node->read([&](auto) { was_read = true; });
  ASSERT_TRUE(node->run_one());
  EXPECT_TRUE(was_read);
  EXPECT_FALSE(taken);
  ASSERT_TRUE(node->run_move());
  EXPECT_TRUE(taken);
}

TEST_F(membership_twin, a_take_does_not_wait_for_sessions_that_have_to_end) {
  bool ended = false, taken = false;
  node->end_sessions({uuid::from_raw(std::string(16, 'x')), 1}, [&](auto) { ended = true; });
  node->take(1, [&](auto) { taken = true; });
  ASSERT_TRUE(node->run_move());
  EXPECT_TRUE(taken);
  EXPECT_FALSE(ended);
  ASSERT_TRUE(node->run_ending());
  EXPECT_TRUE(ended);
}

TEST_F(membership_twin, what_is_beyond_the_bound_is_refused_and_a_stop_answers_the_rest) {
  for (int i = 0; i < 4; ++i)
    vote_change();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(code(0), errc::overloaded);
  node->stop();
  ASSERT_EQ(heard.size(), 4u);
  EXPECT_EQ(code(3), errc::unavailable);
  vote_change();
  EXPECT_EQ(code(4), errc::unavailable);
}

TEST_F(membership_twin, sessions_that_do_not_end_are_told) {
  const cluster::member_id former{uuid::from_raw(std::string(16, 'x')), 1};
  rows->open_session(former, true);
  std::optional<error> why;
  node->end_sessions(former, [&](std::variant<int, error> got) { why = std::get<error>(got); });
  ASSERT_TRUE(node->run_ending());
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, errc::unavailable);
}

} // namespace rahat::conformance
