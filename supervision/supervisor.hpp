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

/// How often a child may go down, and how long it rests between tries.
struct restart_policy {
  std::uint32_t intensity = 5; // restarts within `window`; one more and the supervisor gives up
  std::chrono::milliseconds window{60'000};
  std::chrono::milliseconds first{100}; // doubles with each restart in the window, with jitter
  std::chrono::milliseconds last{10'000};
};

struct child_spec {
  std::string name;
  /// Starts the child; an exception counts as a failed start and is tried again.
  std::function<caf::actor(caf::actor_system&)> start;
};

/// A supervisor: starts its children in order, restarts the one that went down (one for one) after
/// a backoff with jitter, and goes down itself when one keeps failing, so that its own supervisor
/// acts. Children that end with normal reasons are not restarted. On shutdown children are stopped
/// in reverse order.
struct supervisor_spec {
  std::string path; // of this supervisor in the tree
  std::vector<child_spec> children;
  restart_policy policy;
  supervision_tree& tree;
  const clock& time;
  random& dice;
  std::function<void(const std::string& reason)> on_give_up; // may be empty
};

/// The caller keeps the handle: an actor that nobody refers to ends.
caf::actor start_supervisor(caf::actor_system& system, supervisor_spec spec);

} // namespace rahat
