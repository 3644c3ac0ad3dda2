#include "tests/unit/supervision/stage.hpp"

#include <gmock/gmock.h>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

using supervisor_test = stage;

TEST_F(supervisor_test, restarts_only_the_child_that_went_down_and_after_a_pause) {
  auto root = run(spec("root", {child("a"), child("b")}));
  EXPECT_EQ(node("root/a").state, "running");
  crash("a");
  EXPECT_EQ(node("root/a").state, "backoff");
  EXPECT_EQ(node("root/a").last_error, "a has crashed");
  pass(99ms);
  EXPECT_EQ(starts_["a"], 1);
  pass(1ms);
  EXPECT_EQ(starts_["a"], 2);
  EXPECT_EQ(starts_["b"], 1);
  EXPECT_EQ(node("root/a").state, "running");
  EXPECT_EQ(node("root/a").restarts, 1U);
  EXPECT_EQ(node("root/b").restarts, 0U);
  stop(root);
}

TEST_F(supervisor_test, pauses_double_up_to_the_longest) {
  policy_.intensity = 10;
  policy_.last = 400ms;
  auto root = run(spec("root", {child("a")}));
  int starts = 1;
  for (auto wait : {100ms, 200ms, 400ms, 400ms}) {
    crash("a");
    pass(wait - 1ms);
    EXPECT_EQ(starts_["a"], starts) << wait.count();
    pass(1ms);
    EXPECT_EQ(starts_["a"], ++starts) << wait.count();
  }
  stop(root);
}

TEST_F(supervisor_test, a_child_that_keeps_failing_escalates_after_the_others_were_stopped) {
  policy_.intensity = 3;
  auto root = run(spec("root", {child("a"), child("b"), child("c")}));
  for (int i = 0; i < 3; ++i) {
    crash("b");
    pass(10s);
  }
  EXPECT_EQ(given_up_, "");
  ended_.clear();
  crash("b");
  EXPECT_EQ(given_up_, "root/b: b has crashed");
  EXPECT_EQ(starts_["b"], 4) << "three restarts, not more";
  EXPECT_THAT(ended_, ElementsAre("b", "c", "a"));
  EXPECT_EQ(node("root/b").state, "failed");
  EXPECT_EQ(node("root/a").state, "stopped");
  EXPECT_EQ(node("root").state, "failed");
  pass(1min);
  EXPECT_EQ(starts_["b"], 4);
}

TEST_F(supervisor_test, restarts_of_long_ago_do_not_count) {
  policy_.intensity = 1;
  auto root = run(spec("root", {child("a")}));
  for (int i = 0; i < 5; ++i) {
    crash("a");
    pass(61s);
  }
  EXPECT_EQ(given_up_, "");
  EXPECT_EQ(starts_["a"], 6);
  stop(root);
}

TEST_F(supervisor_test, a_start_that_throws_is_tried_again) {
  int tries = 0;
  auto a = child("a");
  auto well = a.start;
  a.start = [&](caf::actor_system& system) {
    if (++tries < 3)
      throw std::runtime_error("port in use");
    return well(system);
  };
  auto root = run(spec("root", {a, child("b")}));
  EXPECT_EQ(node("root/a").state, "backoff");
  EXPECT_EQ(node("root/a").last_error, "port in use");
  EXPECT_EQ(starts_["b"], 1) << "its siblings start";
  pass(100ms);
  pass(200ms);
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(node("root/a").state, "running");
  stop(root);
}

TEST_F(supervisor_test, a_normal_end_is_an_end_for_transient_children_only) {
  auto passing = child("passing");
  passing.life = lifetime::transient;
  auto root = run(spec("root", {passing, child("lasting")}));
  caf::anon_send_exit(last_["passing"], caf::exit_reason::user_shutdown);
  caf::anon_send_exit(last_["lasting"], caf::exit_reason::user_shutdown);
  settle();
  pass(1s);
  EXPECT_EQ(starts_["passing"], 1);
  EXPECT_EQ(node("root/passing").state, "stopped");
  EXPECT_EQ(starts_["lasting"], 2);
  crash("passing");
  stop(root);
}

TEST_F(supervisor_test, stops_in_reverse_order_each_after_the_one_before) {
  auto root =
      run(spec("root", {supervised_group(spec("root/x", {child("a"), child("b")})), child("c")}));
  stop(root);
  EXPECT_THAT(ended_, ElementsAre("c", "b", "a"));
  EXPECT_EQ(node("root/x/a").state, "stopped");
  EXPECT_EQ(node("root/x").state, "stopped");
  EXPECT_EQ(node("root").state, "stopped");
  EXPECT_EQ(given_up_, "");
}

TEST_F(supervisor_test, a_child_that_does_not_stop_is_left_behind_at_its_limit) {
  auto stubborn = child("stubborn");
  stubborn.stop_limit = 3s;
  stubborn.start = [this](caf::actor_system& system) {
    return last_["stubborn"] = system.spawn([](caf::event_based_actor* self) -> caf::behavior {
      self->set_exit_handler([](caf::exit_msg&) {});
      return {[self](int) { self->quit(); }};
    });
  };
  auto root = run(spec("root", {child("a"), stubborn}));
  stop(root);
  EXPECT_THAT(ended_, ElementsAre());
  pass(3s);
  EXPECT_THAT(ended_, ElementsAre("a"));
  EXPECT_EQ(node("root").state, "stopped");
  EXPECT_THAT(node("root/stubborn").last_error, HasSubstr("did not stop"));
  caf::anon_send(last_["stubborn"], 1);
  settle();
}

TEST_F(supervisor_test, a_stop_cancels_restarts_that_are_waiting) {
  auto root = run(spec("root", {child("a")}));
  crash("a");
  stop(root);
  pass(10s);
  EXPECT_EQ(starts_["a"], 1);
  EXPECT_EQ(node("root").state, "stopped");
}

TEST_F(supervisor_test, a_group_that_gives_up_is_its_supervisors_to_restart) {
  policy_.intensity = 1;
  auto group = supervised_group(spec("root/x", {child("a"), child("b")}));
  auto root = run(spec("root", {group, child("c")}));
  crash("a");
  pass(100ms);
  crash("a");
  EXPECT_EQ(node("root/x").state, "backoff");
  EXPECT_EQ(node("root/x").last_error, "root/x/a: a has crashed");
  pass(100ms);
  EXPECT_EQ(starts_["a"], 3);
  EXPECT_EQ(starts_["b"], 2) << "the group begins anew";
  EXPECT_EQ(starts_["c"], 1);
  EXPECT_EQ(given_up_, "");
  stop(root);
}

TEST_F(supervisor_test, a_root_without_restarts_ends_with_the_childs_own_reason) {
  policy_.intensity = 1;
  auto group = supervised_group(spec("root/x", {child("a")}));
  policy_.intensity = 0;
  auto root = run(spec("root", {group, child("c")}));
  crash("a");
  pass(100ms);
  crash("a");
  EXPECT_EQ(given_up_, "root/x/a: a has crashed") << "once, not wrapped by each level";
  EXPECT_THAT(ended_, ElementsAre("a", "a", "c"));
  EXPECT_EQ(node("root").state, "failed");
}

TEST_F(supervisor_test, the_tree_stands_in_order_of_start_with_kinds_and_health) {
  auto a = child("z");
  a.health = [] { return "7 things"; };
  auto root = run(spec("root", {a, child("b")}));
  std::vector<std::string> paths;
  for (auto& n : tree_.nodes())
    paths.push_back(n.path + " " + n.kind + " " + n.health);
  EXPECT_THAT(paths, ElementsAre("root supervisor ", "root/z fake 7 things", "root/b fake "));
  EXPECT_EQ(node("root/z").since_us, clock_.now_us());
  stop(root);
  EXPECT_EQ(node("root/z").health, "") << "what is down is not asked";
}

} // namespace
} // namespace rahat::test
