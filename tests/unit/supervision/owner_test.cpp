#include "supervision/owner.hpp"
#include "tests/unit/supervision/stage.hpp"

namespace rahat::test {
namespace {

using namespace std::chrono_literals;

class owner_test : public stage {
protected:
  part thing() {
    return {"thing", "fake",
            [this](death_notice died) {
              if (refuse_)
                throw std::runtime_error("no thread left");
              ++starts_["thing"];
              died_ = std::move(died);
            },
            [this] { ++stops_; }, [] { return "well"; }};
  }

  bool refuse_ = false;
  int stops_ = 0;
  death_notice died_;
};

TEST_F(owner_test, a_part_that_dies_is_started_again_with_its_reason_in_the_tree) {
  auto root = run(spec("root", {owner_of(thing())}));
  EXPECT_EQ(node("root/thing").health, "well");
  died_("out of memory");
  settle();
  EXPECT_EQ(node("root/thing").state, "backoff");
  EXPECT_EQ(node("root/thing").last_error, "out of memory");
  EXPECT_EQ(stops_, 0) << "what has died needs no stop, which would be for good";
  pass(100ms);
  EXPECT_EQ(starts_["thing"], 2);
  EXPECT_EQ(node("root/thing").state, "running");
  stop(root);
  EXPECT_EQ(stops_, 1);
}

TEST_F(owner_test, a_part_that_cannot_start_is_not_stopped) {
  refuse_ = true;
  auto root = run(spec("root", {owner_of(thing())}));
  EXPECT_EQ(node("root/thing").last_error, "no thread left");
  refuse_ = false;
  pass(100ms);
  EXPECT_EQ(starts_["thing"], 1);
  EXPECT_EQ(stops_, 0);
  stop(root);
  EXPECT_EQ(stops_, 1);
}

TEST_F(owner_test, a_death_after_the_end_is_nobodys) {
  auto root = run(spec("root", {owner_of(thing())}));
  stop(root);
  died_("too late");
  pass(1s);
  EXPECT_EQ(starts_["thing"], 1);
  EXPECT_EQ(node("root/thing").state, "stopped");
}

TEST_F(owner_test, a_heartbeat_beats_on_the_scheduler) {
  int beats = 0;
  auto root = run(spec("root", {heartbeat("beat", 200ms, [&] { ++beats; })}));
  EXPECT_EQ(beats, 1);
  pass(200ms);
  pass(200ms);
  EXPECT_EQ(beats, 3);
  stop(root);
}

} // namespace
} // namespace rahat::test
