#pragma once

#include "apps/rahatd/cluster_metrics.hpp"
#include "config/config.hpp"
#include "persistence/cluster/pg_membership.hpp"
#include "persistence/lease/generation.hpp"
#include "persistence/lease/node_lease.hpp"
#include "persistence/postgres/pg_store.hpp"
#include "runtime/cluster/caf/caf_channels.hpp"
#include "runtime/cluster/driving/mover.hpp"
#include "runtime/cluster/driving/pilot.hpp"
#include "runtime/cluster/routing/live_spread.hpp"
#include "runtime/cluster/routing/router.hpp"
#include "runtime/cluster/transport/mesh.hpp"
#include "runtime/entity/region.hpp"
#include "runtime/ports/delays.hpp"
#include "runtime/trust/master_key.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace rahat {

/// How much of the list of the parked is read at once.
inline constexpr std::uint32_t max_parked_at_once = 100'000;

/// What a node says of itself to the cluster. `port` 0 in the settings has become a free one.
enrolment enrolment_of(const config& settings, const uuid& node, const master_key& key);

/// How the node's channels listen; throws with a sentence when certificates cannot be read.
cluster::caf_channels_options channels_of(const config& settings, const enrolment& who);

/// The durations that members judge each other by.
cluster::membership_terms membership_terms_of(const config& settings);

/// The node's part in a cluster: links to its peers, membership, moves of shards, the router that
/// gateways speak to. Put together once the store and the actor system are there; `attach` gives it
/// the hosts. Everything it is made of outlives it.
class clustering {
public:
  struct dependencies {
    const config& settings;
    std::string service_conninfo;
    node_identity me;
    generation now;
    enrolment who;
    const node_lease& lease;
    const clock& time;
    random& dice;
    delays& later;
    pg_store& db;
    caf::actor_system& actors;
    cluster_metrics& counted;
    std::function<void(const std::string& why)> on_end; // this incarnation is over
  };

  /// Throws with a sentence for the operator.
  explicit clustering(dependencies d);
  ~clustering();

  /// Where the hosts' messages to other nodes go.
  rahat::elsewhere& beyond();

  /// The hosts, before `start`.
  void attach(region& hosts);

  /// The way to every entity of the cluster. After `attach`.
  rahat::entities& everywhere();

  /// Who listens to live events on this node, before `start`.
  void hear(live_listeners& here);

  /// A commit of this node was announced: peers that follow its entity are told.
  void publish(const live_event& event);

  /// Listens, joins, begins to move shards.
  void start();

  /// Gives the shards away, within the limit; what is asked is served or forwarded, then and later.
  /// True: others have them all, and `leave` is to follow. False: nobody could take them, or not
  /// all within the limit.
  bool hand_over(std::chrono::milliseconds limit);

  /// Says `left`, within the limit: peers end their links. Nothing may be asked here any more.
  void leave(std::chrono::milliseconds limit);

  /// Its threads, for their owners. After `start`.
  std::vector<part> threads();

  /// This incarnation's membership has ended, in whatever way.
  bool over() const;

  /// What waits for other nodes is refused as retryable, now and from now on.
  void refuse_waiting();

  /// Ends links and loops; what waits is refused as retryable.
  void stop();

  /// The member row says that this node belongs: gateways may serve.
  bool belongs() const;

  /// Every shard had an owner within the last seconds: one that moves has none for a moment, which
  /// is no reason to send clients away.
  bool whole_lately() const;

  /// Since the tables of the cluster were last read.
  std::chrono::milliseconds reading_age() const;

  /// The lease may be renewed: see pilot.
  bool keeps_lease();

  /// It gives its shards away: it serves on, but no new clients should be sent to it.
  bool leaving() const;

  /// Puts an entity that was parked back to work, wherever it is served.
  void release(const entity_ref& entity);

  void fenced(const std::map<shard_id, std::int64_t>& shards);
  bool serves(shard_id shard) const;

  const cluster::pilot& membership() const;
  const cluster::mover& moves() const;
  const cluster::mesh& links() const;
  const cluster::router& routes() const;
  membership_store& tables();
  cluster::shard_map::snapshot owners() const;

private:
  struct parts;
  std::shared_ptr<parts> parts_; // shared with what was put off
};

} // namespace rahat
