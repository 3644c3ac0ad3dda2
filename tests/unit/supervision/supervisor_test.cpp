#include "supervision/supervisor.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <condition_variable>
#include <mutex>

namespace rahat {
namespace {

using namespace std::chrono_literals;

/// Counts and hands over what happened to children; waits on conditions, never on time alone.
class witness {
public:
  void started(const std::string& who, caf::actor actor) {
    std::unique_lock lock{mutex_};
    last_[who] = actor;
    ++starts_[who];
    changed_.notify_all();
  }

  void gave_up(const std::string& reason) {
    std::unique_lock lock{mutex_};
    given_up_ = reason;
    changed_.notify_all();
  }

  caf::actor wait_for_start(const std::string& who, int nth) {
    std::unique_lock lock{mutex_};
    EXPECT_TRUE(changed_.wait_for(lock, 10s, [&] { return starts_[who] >= nth; })) << who;
    return last_[who];
  }

  std::string wait_for_giving_up() {
    std::unique_lock lock{mutex_};
    EXPECT_TRUE(changed_.wait_for(lock, 10s, [&] { return !given_up_.empty(); }));
    return given_up_;
  }

  int starts(const std::string& who) {
    std::unique_lock lock{mutex_};
    return starts_[who];
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> starts_;
  std::map<std::string, caf::actor> last_;
  std::string given_up_;
};

caf::behavior idle(caf::event_based_actor*) {
  return {[](int) {}};
}

class SupervisorTest : public testing::Test {
protected:
  child_spec child(const std::string& name) {
    return {name, [this, name](caf::actor_system& sys) {
              auto a = sys.spawn(idle);
              seen_.started(name, a);
              return a;
            }};
  }

  caf::actor start(std::vector<child_spec> children) {
    restart_policy fast;
    fast.intensity = 3;
    fast.first = 1ms;
    fast.last = 4ms;
    return start_supervisor(system_, {"root", std::move(children), fast, tree_, time_, dice_,
                                      [this](auto& reason) { seen_.gave_up(reason); }});
  }

  static void crash(const caf::actor& a) {
    caf::anon_send_exit(a, caf::exit_reason::unhandled_exception);
  }

  tree_node node(const std::string& path) {
    for (auto& n : tree_.nodes())
      if (n.path == path)
        return n;
    return {};
  }

  witness seen_;
  supervision_tree tree_;
  system_clock_port time_;
  system_random dice_;
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
};

TEST_F(SupervisorTest, RestartsOnlyTheChildThatWentDown) {
  auto root = start({child("a"), child("b")});
  auto first = seen_.wait_for_start("a", 1);
  seen_.wait_for_start("b", 1);
  crash(first);
  auto second = seen_.wait_for_start("a", 2);
  EXPECT_NE(first, second);
  EXPECT_EQ(seen_.starts("b"), 1);
  EXPECT_EQ(node("root/a").restarts, 1u);
  EXPECT_NE(node("root/a").last_reason.find("unhandled_exception"), std::string::npos);
  caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
}

TEST_F(SupervisorTest, GivesUpWhenAChildKeepsFailing) {
  auto root = start({child("a")});
  for (int i = 1; i <= 4; ++i)
    crash(seen_.wait_for_start("a", i));
  EXPECT_NE(seen_.wait_for_giving_up().find("root/a"), std::string::npos);
  EXPECT_EQ(seen_.starts("a"), 4) << "three restarts after the first start, not more";
  EXPECT_EQ(node("root/a").state, "failed");
}

TEST_F(SupervisorTest, TriesAgainWhenAStartThrows) {
  std::atomic<int> tries{0};
  auto root = start({{"a", [&](caf::actor_system& sys) {
                        if (++tries < 3)
                          throw std::runtime_error("port in use");
                        auto a = sys.spawn(idle);
                        seen_.started("a", a);
                        return a;
                      }}});
  seen_.wait_for_start("a", 1);
  EXPECT_EQ(tries, 3);
  caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
}

TEST_F(SupervisorTest, LeavesAChildAloneThatEndedNormally) {
  auto root = start({child("a"), child("b")});
  caf::anon_send_exit(seen_.wait_for_start("a", 1), caf::exit_reason::normal);
  crash(seen_.wait_for_start("b", 1));
  seen_.wait_for_start("b", 2);
  EXPECT_EQ(seen_.starts("a"), 1);
  caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
}

} // namespace
} // namespace rahat
