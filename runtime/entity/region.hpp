#pragma once

#include "runtime/decider/kind.hpp"
#include "runtime/entity/host.hpp"
#include "runtime/entity/ticker.hpp"
#include "runtime/ports/elsewhere.hpp"
#include "runtime/ports/random.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace rahat {

/// The kinds of this installation, by name.
class kind_registry {
public:
  void add(std::unique_ptr<kind> k);
  const kind* find(std::string_view name) const;
  std::set<std::string> names() const;

private:
  std::map<std::string, std::unique_ptr<kind>, std::less<>> kinds_;
};

/// Starts the actor that runs a host and gives back the way to its mailbox. Bound to CAF by
/// caf_host; tests and the simulator bind their own scheduler. `entity_host` is destroyed by the
/// shell when it has ended.
using host_spawner = std::function<poster(std::function<std::unique_ptr<host>(poster)>)>;

/// What an operator sees of one resident entity.
struct resident {
  entity_ref entity;
  std::uint32_t in_flight = 0;
  std::uint32_t failures = 0;
  bool parked = false;
};

/// The way to every entity of this node: knows who is in memory, starts hosts on demand, holds the
/// inbox credits, restarts what fails (one for one, with backoff) and parks what keeps failing.
/// Thread-safe: callable from gateways, hosts and store threads; the table is split by shard so
/// that they do not meet. Outlives every host that it has started: `stop`, then end the shell's
/// actors, then destroy.
///
/// Serves the shards that are open; what is asked of others is refused as `moved`, what is told to
/// them goes elsewhere.
class region final : public local_entities, public local_shards, public host_outlet {
public:
  struct dependencies {
    store& db;
    const clock& time;
    random& dice;
    const kind_registry& kinds;
    entity_probe& probe;
    host_limits limits;
    host_spawner spawn;
    std::function<bool()> serving;                  // false: the node's lease has lapsed
    std::function<void(const live_event&)> publish; // to the live hub; must not block
    ticker::drive ticks = ticker::drive::threaded;
    elsewhere* beyond = nullptr; // the way to other nodes; null: there are none
    bool serves_all = true;      // every shard is open from the start
    cluster::level reads = cluster::this_build_reads;
    /// A commit or message of a newer build was met: this node must stop serving, in order. Said
    /// for each such entity; must not block.
    std::function<void(const entity_ref&, const std::string& why)> too_old = {};
  };

  explicit region(dependencies d);
  ~region() override;

  // -- entities -----------------------------------------------------------------
  void ask(request r, reply_callback done) override;
  void look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
            view_callback done) override;

  // -- local_entities -------------------------------------------------------------
  bool deliver(const entity_ref& source, const entity_ref& target, std::uint64_t n,
               const std::string& body) override;
  void heard(const entity_ref& source, const entity_ref& target, std::uint64_t n) override;
  void release(const entity_ref& entity) override;

  // -- local_shards ---------------------------------------------------------------
  void open(shard_id shard) override;
  void hand_over(shard_id shard, std::function<void()> done) override;
  void drop(shard_id shard) override;

  // -- the node -----------------------------------------------------------------

  /// The cluster's view has this feature level: its hosts write up to that, or up to what the build
  /// reads.
  void view_is_at(cluster::level view_level) { levels_.view_is_at(view_level); }

  /// Brings into memory whatever has an outbox row or a due timer in the shard [R10], at the rate
  /// of limits.wake_per_second. Called at start, and from time to time for timers of entities that
  /// are not in memory. `found` hears how many there were.
  void wake_pending(shard_id shard, std::function<void(std::size_t)> found = {});

  /// Ends everything; afterwards every ask is refused. Waits for nothing.
  void stop();

  /// With ticks by hand: gives ticks to whoever is due; returns how many.
  std::size_t fire_due() { return ticker_->fire_due(); }
  std::optional<ticker::time_point> next_tick() const { return ticker_->next(); }

  /// The ticker's thread, for the supervision tree.
  part ticking() { return ticker_->as_part(); }

  /// Entities known as parked from the store, at start.
  void mark_parked(const entity_ref& entity);

  /// The same for a shard that is about to open, in place of what is remembered of its last stay.
  void parked_are(shard_id shard, const std::vector<entity_ref>& entities);

  /// Releases whoever has been parked here for a while and is on the store's list no more: an
  /// operator has released it at another node, and the word of that was lost.
  void still_parked(const std::set<entity_ref>& listed);

  std::vector<resident> residents(std::size_t limit) const;
  std::size_t resident_count() const { return resident_.load(); }

  // -- host_outlet --------------------------------------------------------------
  void tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
            const std::string& body) override;
  void acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) override;
  void wake_at(const entity_ref& self, std::chrono::steady_clock::time_point when) override;
  void happened(const live_event& event) override;
  bool retire(const entity_ref& self, std::uint64_t incarnation) override;
  void failed(const entity_ref& self, std::uint64_t incarnation, bool guilty,
              const std::string& reason, const std::string& body) override;
  void level_too_high(const entity_ref& self, std::uint64_t incarnation,
                      const std::string& reason) override;

private:
  using time_point = std::chrono::steady_clock::time_point;

  /// A host's credits and the way to it, in one piece.
  struct mailbox final : admission {
    poster post;
  };

  struct entry {
    std::shared_ptr<mailbox> box;
    std::uint64_t incarnation = 0;
    time_point used{}; // last mail, or asked to leave
  };

  /// Kept apart from `entry`, because it outlives the host.
  struct trouble {
    std::uint32_t failures = 0; // within limits.failure_window
    std::uint32_t own_faults = 0;
    bool parked = false;
    bool too_new = false;  // for this build: stays with nobody until the shard has gone
    bool to_start = false; // a tick is to start its host
    time_point not_before{};
    time_point last{};
  };

  struct section {
    mutable std::mutex mutex;
    bool open = true;
    std::function<void()> emptied; // waits for the last host of a shard that is handed over
    std::unordered_map<entity_ref, entry> entries;
    std::unordered_map<entity_ref, trouble> troubles;
  };

  enum class admit { as_client, as_message, freely };

  /// Posts mail to the entity's host, starting it if need be; the reason if it cannot be.
  std::optional<error> post(const entity_ref& target, mail& m, admit how);
  std::optional<error> admit_mail(const entity_ref& target, const kind& k, mail& m, admit how,
                                  std::shared_ptr<mailbox>& to, bool& absent);
  std::variant<entry*, error> entry_of(section& s, const entity_ref& target, const kind& k,
                                       bool& absent);
  bool short_of_room() const;
  void make_room();
  void close(shard_id shard, const error& why);
  void tick(const entity_ref& entity);
  time_point next_wake();
  entry& start_host(section& s, const entity_ref& target, const kind& k);
  section& section_of(const entity_ref& e) { return sections_[shard_of(e)]; }
  std::function<void()> erase(section& s, std::unordered_map<entity_ref, entry>::iterator at);
  bool is_open(const entity_ref& e);
  std::chrono::milliseconds backoff(std::uint32_t failures);

  dependencies d_;
  host_levels levels_;
  std::array<section, shard_count> sections_;
  std::atomic<std::size_t> resident_{0};
  std::atomic<std::uint32_t> room_from_{0}; // section where room is looked for next
  std::atomic<std::uint64_t> incarnations_;
  std::atomic<bool> stopping_{false};
  std::mutex wake_mutex_;
  time_point next_wake_{};
  std::unique_ptr<ticker> ticker_; // last: its thread calls into the rest
};

} // namespace rahat
