#include "runtime/ports/worker_thread.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <future>
#include <stdexcept>

namespace rahat {
namespace {

constexpr auto patience = std::chrono::seconds{30};

void die() {
  throw std::runtime_error("killed by a test");
}

std::string heard(std::promise<std::string>& from) {
  auto future = from.get_future();
  if (future.wait_for(patience) != std::future_status::ready)
    return "nothing";
  return future.get();
}

TEST(worker_thread, tells_its_watcher_why_it_died) {
  worker_thread thread;
  std::promise<std::string> told;
  std::promise<void> go;
  thread.start([&] {
    go.get_future().wait();
    die();
  });
  EXPECT_TRUE(thread.running());
  thread.watch([&](const std::string& reason) { told.set_value(reason); });
  go.set_value();
  EXPECT_EQ(heard(told), "killed by a test");
  EXPECT_FALSE(thread.running());
  EXPECT_EQ(thread.death(), "killed by a test");
}

TEST(worker_thread, a_death_before_the_watch_is_told_once) {
  worker_thread thread;
  std::promise<void> over;
  thread.start([&] {
    over.set_value_at_thread_exit();
    die();
  });
  over.get_future().wait();
  std::promise<std::string> told;
  thread.watch([&](const std::string& reason) { told.set_value(reason); });
  EXPECT_EQ(heard(told), "killed by a test");
  thread.watch([](const std::string& reason) { FAIL() << "told again: " << reason; });
}

TEST(worker_thread, starts_again_after_a_death) {
  worker_thread thread;
  std::promise<std::string> told;
  thread.watch([&](const std::string& reason) { told.set_value(reason); });
  thread.start(die);
  heard(told);
  std::promise<std::string> lives;
  thread.start([&] { lives.set_value("lives"); });
  EXPECT_EQ(heard(lives), "lives");
  thread.join();
  EXPECT_EQ(thread.death(), std::nullopt);
}

TEST(worker_thread, an_end_is_no_death) {
  worker_thread thread;
  thread.watch([](const std::string& reason) { FAIL() << reason; });
  thread.start([] {});
  thread.join();
  EXPECT_FALSE(thread.running());
  EXPECT_EQ(thread.death(), std::nullopt);
}

TEST(worker_thread, what_is_no_exception_of_the_library_has_a_reason_as_well) {
  worker_thread thread;
  std::promise<std::string> told;
  thread.watch([&](const std::string& reason) { told.set_value(reason); });
  thread.start([] { throw 7; });
  EXPECT_EQ(heard(told), "an exception without a text");
}

} // namespace
} // namespace rahat
