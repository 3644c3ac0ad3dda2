#include "apps/rahatd/component.hpp"

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/event_based_actor.hpp>

namespace rahat {

namespace {

using beat_atom = caf::atom_constant<caf::atom("beat")>;

class component_actor final : public caf::event_based_actor {
public:
  component_actor(caf::actor_config& config, std::function<void()> stop)
      : event_based_actor(config), stop_(std::move(stop)) {}

  caf::behavior make_behavior() override {
    return {[](beat_atom) {}};
  }

  void on_exit() override {
    if (stop_)
      stop_();
  }

  const char* name() const override { return "component"; }

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

} // namespace

child_spec component(std::string name, std::function<void()> start, std::function<void()> stop) {
  return {
      std::move(name),
      [start = std::move(start), stop = std::move(stop)](caf::actor_system& system) -> caf::actor {
        start();
        return system.spawn<component_actor>(stop);
      }};
}

child_spec heartbeat(std::string name, std::chrono::milliseconds every,
                     std::function<void()> beat) {
  return {std::move(name),
          [every, beat = std::move(beat)](caf::actor_system& system) -> caf::actor {
            return system.spawn<heartbeat_actor>(every, beat);
          }};
}

} // namespace rahat
