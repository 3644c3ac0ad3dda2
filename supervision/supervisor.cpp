#include "supervision/supervisor.hpp"

#include "runtime/telemetry/log.hpp"

#include <algorithm>
#include <caf/atom.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <deque>
#include <optional>

namespace rahat {

namespace {

using start_atom = caf::atom_constant<caf::atom("svstart")>;
using late_atom = caf::atom_constant<caf::atom("svlate")>;

constexpr const char* kind_of_supervisor = "supervisor";

/// What a child said when it went down: the text of its error, not how CAF wraps it.
std::string text_of(caf::actor_system& system, const caf::error& reason) {
  if (reason.category() == caf::atom("system") && !reason.context().empty() &&
      reason.context().match_elements<std::string>())
    return reason.context().get_as<std::string>(0);
  return system.render(reason);
}

class supervisor final : public caf::event_based_actor {
public:
  supervisor(caf::actor_config& config, supervisor_spec spec)
      : event_based_actor(config), spec_(std::move(spec)), children_(spec_.children.size()) {}

  caf::behavior make_behavior() override {
    set_down_handler([this](caf::down_msg& down) { child_went_down(down); });
    set_exit_handler([this](caf::exit_msg& exit) { stop_all({exit.reason, {}}); });
    spec_.tree.enter(spec_.path, kind_of_supervisor);
    spec_.tree.set(spec_.path, "running", spec_.time.now_us());
    for (std::size_t i = 0; i < children_.size() && !end_; ++i)
      start_child(i);
    return {[this](start_atom, std::size_t i) { start_child(i); },
            [this](late_atom, std::size_t i) { child_is_late(i); }};
  }

  const char* name() const override { return kind_of_supervisor; }

private:
  struct child {
    caf::actor actor;                                           // none: it is down
    std::deque<std::chrono::steady_clock::time_point> restarts; // within the window
  };

  /// How this supervisor ends, once its children have.
  struct ending {
    caf::error reason;
    std::string given_up; // which child kept failing, and why; empty: an orderly end
  };

  std::string path_of(std::size_t i) const { return spec_.path + "/" + spec_.children[i].name; }

  void note(std::size_t i, const char* state, const std::string& error = {}) {
    spec_.tree.set(path_of(i), state, spec_.time.now_us(), error);
  }

  void start_child(std::size_t i) {
    if (end_)
      return;
    const auto& what = spec_.children[i];
    spec_.tree.enter(path_of(i), what.kind, what.health);
    try {
      children_[i].actor = what.start(system());
      monitor(children_[i].actor);
      note(i, "running");
    } catch (const std::exception& e) {
      restart_later(i, e.what());
    }
  }

  void child_went_down(const caf::down_msg& down) {
    for (std::size_t i = 0; i < children_.size(); ++i) {
      if (!children_[i].actor || children_[i].actor.address() != down.source)
        continue;
      children_[i].actor = nullptr;
      const bool normal = !down.reason || down.reason == caf::exit_reason::normal ||
                          down.reason == caf::exit_reason::user_shutdown;
      const auto reason = text_of(system(), down.reason);
      if (end_) {
        note(i, "stopped", normal ? "" : reason);
        stop_next();
      } else if (normal && spec_.children[i].life == lifetime::transient) {
        note(i, "stopped");
      } else {
        restart_later(i, reason);
      }
      return;
    }
  }

  void restart_later(std::size_t i, const std::string& reason) {
    const auto now = spec_.time.steady();
    auto& recent = children_[i].restarts;
    while (!recent.empty() && now - recent.front() > spec_.policy.window)
      recent.pop_front();
    if (recent.size() >= spec_.policy.intensity) {
      escalate(i, reason);
      return;
    }
    auto wait = spec_.policy.first;
    for (std::size_t n = 0; n < recent.size() && wait < spec_.policy.last; ++n)
      wait *= 2;
    wait = std::min(wait, spec_.policy.last);
    wait += std::chrono::milliseconds(static_cast<std::int64_t>(spec_.dice.number() % 1'000) *
                                      wait.count() / 4'000);
    recent.push_back(now);
    note(i, "backoff", reason);
    spec_.tree.restarted(path_of(i));
    log::warning("child_restarts",
                 {{"child", path_of(i)}, {"in_ms", wait.count()}, {"reason", reason}});
    delayed_send(this, wait, start_atom::value, i);
  }

  void escalate(std::size_t i, const std::string& reason) {
    // A group says itself which of its children it was.
    const bool names_it = reason.starts_with(path_of(i));
    auto why = names_it ? reason : path_of(i) + ": " + reason;
    note(i, "failed", reason);
    log::error("child_keeps_failing", {{"child", path_of(i)}, {"reason", reason}});
    stop_all({caf::make_error(caf::sec::runtime_error, why), why});
  }

  void stop_all(ending how) {
    if (end_)
      return;
    end_ = std::move(how);
    next_to_stop_ = children_.size();
    stop_next();
  }

  /// One at a time, last one first: the next one once this one is down.
  void stop_next() {
    while (next_to_stop_ > 0) {
      const auto i = --next_to_stop_;
      if (children_[i].actor) {
        send_exit(children_[i].actor, caf::exit_reason::user_shutdown);
        delayed_send(this, spec_.children[i].stop_limit, late_atom::value, i);
        return;
      }
      if (end_->given_up.empty())
        note(i, "stopped");
    }
    finish();
  }

  void child_is_late(std::size_t i) {
    if (!children_[i].actor || next_to_stop_ != i)
      return;
    log::warning("child_stops_slowly", {{"child", path_of(i)}});
    demonitor(children_[i].actor.address());
    children_[i].actor = nullptr;
    note(i, "stopped", "it did not stop in time");
    stop_next();
  }

  void finish() {
    const bool orderly = end_->given_up.empty();
    spec_.tree.set(spec_.path, orderly ? "stopped" : "failed", spec_.time.now_us(), end_->given_up);
    if (!orderly && spec_.on_give_up)
      spec_.on_give_up(end_->given_up);
    quit(end_->reason);
  }

  supervisor_spec spec_;
  std::vector<child> children_;
  std::optional<ending> end_; // children are being stopped
  std::size_t next_to_stop_ = 0;
};

} // namespace

caf::actor start_supervisor(caf::actor_system& system, supervisor_spec spec) {
  return system.spawn<supervisor>(std::move(spec));
}

child_spec supervised_group(supervisor_spec spec) {
  child_spec child;
  child.name = spec.path.substr(spec.path.rfind('/') + 1);
  child.kind = kind_of_supervisor;
  child.stop_limit = std::chrono::milliseconds{0};
  for (auto& c : spec.children)
    child.stop_limit += c.stop_limit;
  child.start = [spec = std::move(spec)](caf::actor_system& system) {
    return start_supervisor(system, spec);
  };
  return child;
}

} // namespace rahat
