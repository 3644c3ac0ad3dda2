#include "supervision/owner.hpp"

#include <atomic>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <memory>

namespace rahat {

namespace {

using beat_atom = caf::atom_constant<caf::atom("beat")>;
using died_atom = caf::atom_constant<caf::atom("died")>;

class part_owner final : public caf::event_based_actor {
public:
  part_owner(caf::actor_config& config, std::function<void()> stop)
      : event_based_actor(config), stop_(std::move(stop)) {}

  caf::behavior make_behavior() override {
    return {[this](died_atom, const std::string& reason) {
      stop_ = nullptr; // there is nothing left to stop
      quit(caf::make_error(caf::sec::runtime_error, reason));
    }};
  }

  void on_exit() override {
    if (stop_)
      stop_();
  }

  const char* name() const override { return "part_owner"; }

private:
  std::function<void()> stop_;
};

class heartbeat_actor final : public caf::event_based_actor {
public:
  heartbeat_actor(caf::actor_config& config, std::chrono::milliseconds every,
                  std::function<void()> beat)
      : event_based_actor(config), every_(every), beat_(std::move(beat)) {}

  caf::behavior make_behavior() override {
    send(this, beat_atom::value);
    return {[this](beat_atom) {
      beat_();
      delayed_send(this, every_, beat_atom::value);
    }};
  }

  const char* name() const override { return "heartbeat"; }

private:
  std::chrono::milliseconds every_;
  std::function<void()> beat_;
};

/// Tells the owner, if it is still there: a part must not keep its actor alive.
death_notice to(const caf::actor& owner) {
  return [weak = caf::actor_cast<caf::actor_addr>(owner)](const std::string& reason) {
    if (auto still = caf::actor_cast<caf::actor>(weak))
      caf::anon_send(still, died_atom::value, reason);
  };
}

} // namespace

child_spec owner_of(part what) {
  child_spec child;
  child.name = what.name;
  child.kind = what.kind;
  child.health = what.health;
  child.start = [what = std::move(what)](caf::actor_system& system) {
    auto to_stop = std::make_shared<std::atomic<bool>>(true);
    auto owner = system.spawn<part_owner>([to_stop, stop = what.stop] {
      if (*to_stop && stop)
        stop();
    });
    try {
      what.start(to(owner));
    } catch (...) {
      *to_stop = false;
      throw; // nobody refers to the actor any more: it ends
    }
    return owner;
  };
  return child;
}

child_spec heartbeat(std::string name, std::chrono::milliseconds every,
                     std::function<void()> beat) {
  child_spec child;
  child.name = std::move(name);
  child.kind = "heartbeat";
  child.start = [every, beat = std::move(beat)](caf::actor_system& system) -> caf::actor {
    return system.spawn<heartbeat_actor>(every, beat);
  };
  return child;
}

} // namespace rahat
