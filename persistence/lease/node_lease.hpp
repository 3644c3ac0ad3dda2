#pragma once

#include "persistence/lease/generation.hpp"
#include "persistence/lease/lease_state.hpp"
#include "persistence/lease/node_identity.hpp"
#include "runtime/ports/lease.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace rahat {

/// What the lease tells its owner. Both are called on the lease's thread and must return quickly;
/// neither may call release() or stop() of the lease, which wait for that thread.
struct lease_callbacks {
  /// Once, when this incarnation may never serve again: the process has to stop (after
  /// `other_generation`: drop all hosts and start anew).
  std::function<void(lease_end why)> on_end;
  /// Changes worth a line in the log: event name and detail.
  std::function<void(std::string_view event, std::string detail)> log;
};

/// The node's lease on serving, renewed on its own connection and its own thread, so that neither a
/// long turn of an actor nor a full writer costs it. Protocol: docs/protocols/leases.md.
///
/// Lapsed is a reading of the clock: valid() turns false, and true again after the next renewal, if
/// nobody has acted meanwhile; shards and hosts stay. An end (`on_end`) is for good.
class node_lease final : public lease {
public:
  /// `me` comes from register_node, `expected` from read_generation at the same start.
  node_lease(std::string service_conninfo, node_identity me, generation expected,
             lease_terms terms = {}, lease_callbacks callbacks = {},
             boot_clock clock = read_boot_clock);

  /// Stops renewing and joins the thread; the lease lapses by itself.
  ~node_lease() override;

  node_lease(const node_lease&) = delete;
  node_lease& operator=(const node_lease&) = delete;

  /// Starts the thread. Counts as the first beat.
  void start();

  /// Called by the scheduler, at least each ttl/2: without it the lease is not renewed. Lock-free.
  void beat() { state_.beat(clock_()); }

  /// May this node serve now? Lock-free, any thread.
  bool valid() const override { return state_.valid(clock_()); }

  std::optional<std::int64_t> steady_since_us() const override {
    return state_.steady_since_us(clock_());
  }
  std::int64_t clock_offset_us() const override { return state_.clock_offset_us(); }

  lease_end ended() const { return state_.ended(); }

  /// Waits until the lease is valid for the first time; false at an end or when the limit passed.
  bool wait_valid(std::chrono::milliseconds limit);

  /// The thread, for its owner, who may start it again after a death. Nobody is told of `on_end`.
  part as_part();

  /// Stops the thread, within 3 seconds even while Postgres hangs. The member row stays as it is.
  void stop();

  /// Orderly end: stops the thread and writes `left` into the member row, if that has not been
  /// done, so that nobody waits for the lease to lapse. Best effort: false when the database could
  /// not be told, or when the row is not this incarnation's any more.
  bool release();

private:
  class channel;

  void run();
  bool tick();
  void finish(lease_end why);
  void note(bool valid_now);
  void say(std::string_view event, std::string detail) const;

  const std::string conninfo_;
  const node_identity me_;
  const generation expected_;
  const lease_callbacks callbacks_;
  const boot_clock clock_;
  lease_state state_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool was_valid_ = false;
  std::string last_trouble_;
  std::unique_ptr<channel> channel_;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat
