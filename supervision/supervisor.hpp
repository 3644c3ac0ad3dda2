#pragma once

#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"
#include "supervision/tree.hpp"

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rahat {

/// How often children may go down, and how long one rests between tries.
struct restart_policy {
  std::uint32_t intensity = 5; // restarts of a child within `window`; one more: it escalates
  std::chrono::milliseconds window{60'000};
  std::chrono::milliseconds first{100}; // doubles with each restart in the window, with jitter
  std::chrono::milliseconds last{10'000};
};

/// Whom a restart concerns.
enum class strategy {
  one_for_one, // the child that went down
};

/// When a child that went down is started again.
enum class lifetime {
  permanent, // always
  transient, // unless it ended normally
};

struct child_spec {
  std::string name;
  std::string kind; // for operators: "writer", "gateway", ...
  /// Starts the child; an exception counts as a failed start and is tried again. Runs on the
  /// scheduler's threads: it must not wait for the outside world.
  std::function<caf::actor(caf::actor_system&)> start;
  /// How it fares, in a few words; any thread, cheap. May be empty.
  std::function<std::string()> health;
  lifetime life = lifetime::permanent;
  /// How long its supervisor waits for it to stop before it goes on to the next one.
  std::chrono::milliseconds stop_limit{10'000};
};

/// A supervisor: starts its children in order, restarts what went down after a backoff with jitter,
/// and escalates when a child keeps failing: it stops the others in reverse order and goes down
/// with the reason, so that its own supervisor acts. An exit message makes it stop all children in
/// reverse order, each within its limit. Rules: docs/protocols/supervision.md.
struct supervisor_spec {
  std::string path; // of this supervisor in the tree
  std::vector<child_spec> children;
  restart_policy policy;
  supervision_tree& tree;
  const clock& time;
  random& dice;
  /// Called when it escalates, after all children were stopped. May be empty.
  std::function<void(const std::string& reason)> on_give_up;
  strategy concerns = strategy::one_for_one;
};

/// The caller keeps the handle: an actor that nobody refers to ends.
caf::actor start_supervisor(caf::actor_system& system, supervisor_spec spec);

/// A supervisor as a child of another one, named after the last part of its path.
child_spec supervised_group(supervisor_spec spec);

} // namespace rahat
