#include "supervision/supervisor.hpp"

#include <algorithm>
#include <caf/atom.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <deque>

namespace rahat {

namespace {

using start_atom = caf::atom_constant<caf::atom("svstart")>;

class supervisor final : public caf::event_based_actor {
public:
  supervisor(caf::actor_config& config, supervisor_spec spec)
      : event_based_actor(config), spec_(std::move(spec)) {
    children_.resize(spec_.children.size());
  }

  caf::behavior make_behavior() override {
    set_down_handler([this](caf::down_msg& down) { child_went_down(down); });
    set_exit_handler([this](caf::exit_msg& exit) { quit(exit.reason); });
    spec_.tree.set(spec_.path, "running", spec_.time.now_us());
    for (std::size_t i = 0; i < children_.size(); ++i)
      start_child(i);
    return {[this](start_atom, std::size_t i) { start_child(i); }};
  }

  void on_exit() override {
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
      if (child->actor)
        anon_send_exit(child->actor, caf::exit_reason::user_shutdown);
      child->actor = nullptr;
    }
    spec_.tree.set(spec_.path, "stopped", spec_.time.now_us());
  }

  const char* name() const override { return "supervisor"; }

private:
  struct child {
    caf::actor actor;
    std::deque<std::chrono::steady_clock::time_point> restarts; // within the window
  };

  std::string path_of(std::size_t i) const { return spec_.path + "/" + spec_.children[i].name; }

  void start_child(std::size_t i) {
    try {
      auto& c = children_[i];
      c.actor = spec_.children[i].start(system());
      monitor(c.actor);
      spec_.tree.set(path_of(i), "running", spec_.time.now_us());
    } catch (const std::exception& e) {
      restart_later(i, e.what());
    }
  }

  void child_went_down(const caf::down_msg& down) {
    for (std::size_t i = 0; i < children_.size(); ++i) {
      if (!children_[i].actor || children_[i].actor.address() != down.source)
        continue;
      children_[i].actor = nullptr;
      auto reason = system().render(down.reason);
      if (!down.reason || down.reason == caf::exit_reason::normal ||
          down.reason == caf::exit_reason::user_shutdown)
        spec_.tree.set(path_of(i), "stopped", spec_.time.now_us(), reason);
      else
        restart_later(i, reason);
      return;
    }
  }

  void restart_later(std::size_t i, const std::string& reason) {
    auto now = spec_.time.steady();
    auto& recent = children_[i].restarts;
    while (!recent.empty() && now - recent.front() > spec_.policy.window)
      recent.pop_front();
    if (recent.size() >= spec_.policy.intensity) {
      spec_.tree.set(path_of(i), "failed", spec_.time.now_us(), reason);
      if (spec_.on_give_up)
        spec_.on_give_up(path_of(i) + ": " + reason);
      quit(caf::make_error(caf::sec::runtime_error, path_of(i) + ": " + reason));
      return;
    }
    auto wait = spec_.policy.first;
    for (std::size_t n = 0; n < recent.size() && wait < spec_.policy.last; ++n)
      wait *= 2;
    wait = std::min(wait, spec_.policy.last);
    wait += std::chrono::milliseconds(static_cast<std::int64_t>(spec_.dice.number() % 1'000) *
                                      wait.count() / 4'000);
    recent.push_back(now);
    spec_.tree.set(path_of(i), "backoff", spec_.time.now_us(), reason);
    spec_.tree.restarted(path_of(i));
    delayed_send(this, wait, start_atom::value, i);
  }

  supervisor_spec spec_;
  std::vector<child> children_;
};

} // namespace

caf::actor start_supervisor(caf::actor_system& system, supervisor_spec spec) {
  return system.spawn<supervisor>(std::move(spec));
}

} // namespace rahat
