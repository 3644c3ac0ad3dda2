#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "supervision/supervisor.hpp"

#include <gtest/gtest.h>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace rahat::test {

/// Chance is not tested here: every pause is the shortest.
class no_dice final : public random {
public:
  void fill(void* out, std::size_t bytes) override { std::memset(out, 0, bytes); }
};

struct manual_config : caf::actor_system_config {
  manual_config() { set("scheduler.policy", caf::atom("testing")); }
};

/// Actors take their turns, and time passes, when the test says so.
class stage : public testing::Test {
protected:
  void settle() { scheduler().run(); }

  /// Both clocks move: that of the policy and that of delayed messages.
  void pass(std::chrono::milliseconds time) {
    clock_.advance_us(std::chrono::microseconds(time).count());
    scheduler().advance_time(time);
    settle();
  }

  /// A child that notes its starts and stops.
  child_spec child(const std::string& name) {
    child_spec out;
    out.name = name;
    out.kind = "fake";
    out.start = [this, name](caf::actor_system& system) {
      ++starts_[name];
      auto actor = system.spawn([this, name](caf::event_based_actor* self) -> caf::behavior {
        self->attach_functor([this, name](const caf::error&) { ended_.push_back(name); });
        return {[self, name](int) {
          self->quit(caf::make_error(caf::sec::runtime_error, name + " has crashed"));
        }};
      });
      return last_[name] = actor;
    };
    return out;
  }

  supervisor_spec spec(const std::string& path, std::vector<child_spec> children) {
    return {path, std::move(children), policy_, tree_, clock_, dice_, {}};
  }

  caf::actor run(supervisor_spec what) {
    what.on_give_up = [this](const std::string& reason) { given_up_ = reason; };
    auto root = start_supervisor(system_, std::move(what));
    settle();
    return root;
  }

  void crash(const std::string& name) {
    caf::anon_send(last_[name], 1);
    settle();
  }

  void stop(const caf::actor& who) {
    caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    settle();
  }

  tree_node node(const std::string& path) const {
    for (auto& n : tree_.nodes())
      if (n.path == path)
        return n;
    return {};
  }

  std::map<std::string, int> starts_;
  std::vector<std::string> ended_;
  std::map<std::string, caf::actor> last_;
  std::string given_up_;
  restart_policy policy_;
  supervision_tree tree_;
  hand_clock clock_;
  no_dice dice_;
  manual_config config_;
  caf::actor_system system_{config_};

  ~stage() override {
    last_.clear();
    settle();
  }

private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
};

} // namespace rahat::test
