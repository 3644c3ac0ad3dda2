#include "apps/rahatctl/demo_wait.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat::ctl;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

namespace {

namespace json = boost::json;

bool handled(int number) {
  struct sigaction now {};
  ::sigaction(number, nullptr, &now);
  return now.sa_handler != SIG_DFL;
}

TEST(waiting, ends_when_it_sees_what_it_looks_for) {
  int looks = 0;
  auto view = wait_until(
      "three looks", 30s, [&] { return json::value(++looks); },
      [](const json::value& seen) { return seen == 3; });
  EXPECT_EQ(view, 3);
}

TEST(waiting, has_a_deadline_that_names_what_it_waited_for) {
  try {
    wait_until(
        "the shop has its receipts", 1ms,
        [] {
          return json::value{{"receipts", 1}};
        },
        [](const json::value&) { return false; });
    FAIL() << "it must not wait for ever";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("the shop has its receipts"), HasSubstr(R"({"receipts":1})")));
  }
}

TEST(waiting, ends_with_a_signal) {
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(number, SIG_DFL); // whatever runs the tests ignores
    interrupt_guard guard;
    EXPECT_FALSE(interrupt_guard::seen());
    EXPECT_THROW(wait_until(
                     "nothing", 30s, [&] { return json::value(std::raise(number)); },
                     [](const json::value&) { return false; }),
                 interrupted)
        << number;
    EXPECT_TRUE(interrupt_guard::seen());
  }
  EXPECT_FALSE(handled(SIGINT)) << "afterwards a signal ends the program again";
}

} // namespace
