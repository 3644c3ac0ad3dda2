#include "runtime/cluster/driving/shared_reading.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rahat::test {
namespace {

using ::testing::ElementsAre;

class reading : public ::testing::Test {
protected:
  void ask(char who) {
    shared->ask([this, who](int moment) { heard.push_back(who + std::to_string(moment)); });
  }

  void answer(int moment) {
    ASSERT_EQ(asked.size(), 1u) << "one at a time";
    auto done = std::move(asked.back());
    asked.clear();
    done(moment);
  }

  std::vector<std::function<void(const int&)>> asked;
  std::vector<std::string> heard;
  std::shared_ptr<cluster::shared_reading<int>> shared =
      std::make_shared<cluster::shared_reading<int>>(
          [this](auto done) { asked.push_back(std::move(done)); });
};

TEST_F(reading, that_was_begun_before_a_question_does_not_answer_it) {
  ask('a');
  ask('b'); // the first one may not have seen what b asks for
  ask('c');
  answer(1);
  EXPECT_THAT(heard, ElementsAre("a1"));
  answer(2);
  EXPECT_THAT(heard, ElementsAre("a1", "b2", "c2"));
  EXPECT_TRUE(asked.empty());
  ask('d');
  answer(3);
  EXPECT_THAT(heard, ElementsAre("a1", "b2", "c2", "d3"));
}

TEST_F(reading, who_is_answered_may_ask_again) {
  shared->ask([this](int) { ask('x'); });
  answer(1);
  answer(2);
  EXPECT_THAT(heard, ElementsAre("x2"));
}

} // namespace
} // namespace rahat::test
