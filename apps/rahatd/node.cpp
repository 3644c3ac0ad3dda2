#include "apps/rahatd/node.hpp"

#include "apps/rahatd/auditing.hpp"
#include "apps/rahatd/cluster_desk.hpp"
#include "apps/rahatd/clustering.hpp"
#include "apps/rahatd/database.hpp"
#include "apps/rahatd/database_watch.hpp"
#include "apps/rahatd/edge.hpp"
#include "apps/rahatd/kinds.hpp"
#include "apps/rahatd/measures.hpp"
#include "apps/rahatd/tree_metrics.hpp"
#include "gateways/live/live_hub.hpp"
#include "gateways/ops/background.hpp"
#include "persistence/embedded/conninfo.hpp"
#include "persistence/lease/generation.hpp"
#include "persistence/lease/node_lease.hpp"
#include "persistence/lease/take_shards.hpp"
#include "persistence/postgres/pg_store.hpp"
#include "persistence/tokens/token_book.hpp"
#include "runtime/cluster/overrides/overrides.hpp"
#include "runtime/entity/caf_host.hpp"
#include "runtime/ports/delays.hpp"
#include "runtime/telemetry/log.hpp"
#include "runtime/trust/master_key.hpp"
#include "supervision/owner.hpp"
#include "supervision/supervisor.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

namespace rahat {

namespace {

using namespace std::chrono_literals;

/// Each shard is looked through for due timers of entities that are not in memory this often.
constexpr auto sweep_all_shards = 30s;
constexpr auto take_again_after = 1s;
constexpr auto lease_beat_every = 200ms;
constexpr auto first_lease_limit = 15s;
/// Who serves it follows the books for all nodes; any shard would do.
constexpr shard_id books_shard = 0;
/// For the word that this node has left; without it others take its shards all the same.
constexpr auto last_word_limit = 2s;

caf::actor_system_config& with_threads(caf::actor_system_config& c, std::int64_t workers) {
  auto threads = workers > 0 ? static_cast<std::size_t>(workers)
                             : std::max<std::size_t>(2, std::thread::hardware_concurrency()) - 1;
  c.set("scheduler.max-threads", threads);
  c.set("scheduler.max-throughput", std::size_t{64}); // then the next actor has its turn
  // Waking a sleeping worker costs more than most turns: stealing workers poll a while first.
  c.set("scheduler.policy", caf::atom("stealing"));
  return c;
}

host_limits limits_of(const config& settings) {
  host_limits limits;
  limits.passivate_after = std::chrono::seconds(settings.runtime.passivate_after_s);
  limits.resident = static_cast<std::size_t>(settings.runtime.max_resident_entities);
  limits.wake_per_second = static_cast<std::uint32_t>(settings.runtime.wake_per_second);
  return limits;
}

lease_terms terms_of(const config& settings) {
  return {std::chrono::milliseconds(settings.lease.ttl_ms),
          std::chrono::milliseconds(settings.lease.renew_ms),
          std::chrono::milliseconds(settings.lease.margin_ms)};
}

master_key key_of(const config& settings, random& dice) {
  auto key = settings.trust.master_key.empty()
                 ? load_master_key(settings.node.data_dir + "/master.key", true, dice)
                 : parse_master_key(settings.trust.master_key.reveal());
  if (auto* e = std::get_if<error>(&key))
    throw std::runtime_error(e->message);
  return std::get<master_key>(key);
}

std::vector<pg::owned_shard> owned(const std::vector<taken_shard>& taken) {
  std::vector<pg::owned_shard> out;
  for (auto& t : taken)
    out.push_back({t.shard, static_cast<std::uint64_t>(t.epoch),
                   static_cast<std::uint64_t>(t.head_position), t.head_hash});
  return out;
}

} // namespace

/// In order of construction; destroyed in reverse.
struct node::parts {
  parts(config c, std::function<void(const std::string&)> end, faults f)
      : settings(std::move(c)), on_end(std::move(end)), injected(std::move(f)) {}

  config settings;
  std::function<void(const std::string&)> on_end;
  faults injected;
  system_clock_port time;
  system_random dice;
  measures counted{static_cast<unsigned>(settings.persistence.writers)};
  kind_registry kinds = injected.kinds ? injected.kinds() : all_kinds();
  supervision_tree tree;
  tree_metrics tree_counted{tree};
  database_watch seen{time, settings.database.fsync_check};

  std::unique_ptr<data_folder> folder;
  std::unique_ptr<node_database> database;
  enrolment who;
  node_identity me;
  generation now;
  std::unique_ptr<node_lease> lease;
  std::unique_ptr<sealer> trust;
  std::unique_ptr<delays> later;
  std::unique_ptr<ops::background> background;
  std::unique_ptr<ops::background> audits;
  std::unique_ptr<ops::background> taking; // each job takes all shards: the newest is as good
  std::unique_ptr<token_book> tokens;
  std::unique_ptr<pg_store> db;
  std::unique_ptr<node_auditor> audit;
  std::unique_ptr<live::live_hub> hub;
  std::unique_ptr<region> entities;
  std::unique_ptr<cluster_desk> desk;
  std::unique_ptr<edge> gateways;
  std::unique_ptr<cluster_metrics> cluster_counted;
  std::unique_ptr<clustering> cluster; // null: the node is alone

  caf::actor_system_config caf_config;
  std::unique_ptr<caf::actor_system> actors;
  caf::actor root;

  std::atomic<bool> serving{false};
  std::atomic<bool> draining{false};
  std::atomic<bool> too_old{false};
  std::atomic<bool> gave_up{false}; // every part has been stopped by its supervisor
  std::atomic<std::size_t> shards_owned{0};

  bool clustered() const { return !settings.cluster.host.empty(); }
  bool may_serve() const {
    return serving && seen.durable() && lease->valid() && (!cluster || cluster->belongs());
  }

  /// The way to every entity, here or elsewhere.
  rahat::entities& everywhere() {
    return cluster ? cluster->everywhere() : static_cast<rahat::entities&>(*entities);
  }

  void open_database();
  void take_lease();
  void open_store();
  void start_hosts();
  void wake_all();
  void sweep(shard_id shard);
  void look_at_parked();
  void look_at_level();
  void meet_newer(const entity_ref& entity, const std::string& why);
  void fenced(const std::map<shard_id, std::int64_t>& shards);
  void take_again();
  std::vector<child_spec> groups();
  void supervise();
  void end_supervision();
  std::vector<ops::check> readiness();
};

node::node(config settings, std::function<void(const std::string&)> on_end)
    : node(std::move(settings), std::move(on_end), {}) {}

node::node(config settings, std::function<void(const std::string&)> on_end, faults injected)
    : parts_(std::make_unique<parts>(std::move(settings), std::move(on_end), std::move(injected))) {
}

node::~node() = default;

void node::parts::open_database() {
  folder = std::make_unique<data_folder>(settings.node.data_dir);
  const auto key = key_of(settings, dice);
  trust = std::make_unique<sealer>(key, dice);
  who = enrolment_of(settings, load_node_uuid(folder->path()), key);
  if (injected.build_reads != 0)
    who.build_level = injected.build_reads;
  database = std::make_unique<node_database>(settings, *folder);
}

void node::parts::take_lease() {
  now = read_generation(database->service_conninfo());
  me = register_node(database->service_conninfo(), folder->path(), who, terms_of(settings));
  lease_callbacks calls;
  calls.on_end = [this](lease_end why) {
    serving = false;
    on_end(std::string{"the lease has ended: "} + to_string(why));
  };
  calls.log = [](std::string_view event, const std::string& detail) {
    log::info(event, {{"detail", detail}});
  };
  auto terms = terms_of(settings);
  terms.trusted_for_ever = injected.lease_trusted_for_ever;
  lease =
      std::make_unique<node_lease>(database->service_conninfo(), me, now, terms, std::move(calls));
  lease->start();
  if (!lease->wait_valid(first_lease_limit))
    throw std::runtime_error("the node could not get its lease from the database");
}

void node::parts::open_store() {
  pg::store_options how;
  how.conninfo = database->service_conninfo();
  how.me = me;
  how.now = now;
  how.refuse_unsafe = settings.database.fsync_check;
  how.writers = static_cast<unsigned>(settings.persistence.writers);
  how.readers = static_cast<unsigned>(settings.persistence.readers);
  how.batch_rows = static_cast<std::size_t>(settings.persistence.batch_rows);
  how.batch_bytes = static_cast<std::size_t>(settings.persistence.batch_bytes);
  how.writer_bytes = settings.persistence.queue_bytes;
  how.time = &time;
  how.chance = &dice;
  how.probe = &counted.store();
  how.before_batch = injected.before_batch;
  db = std::make_unique<pg_store>(how);
  db->on_lost([this](auto& shards) { fenced(shards); });
  std::vector<taken_shard> taken;
  if (!clustered()) { // else they are taken one by one, as the members agree
    taken = take_shards(database->service_conninfo(), me, now, terms_of(settings));
    shards_owned = taken.size();
    log::info("shards_taken", {{"shards", taken.size()}});
  }
  db->start(owned(taken));
  tokens = std::make_unique<token_book>(
      with_field(database->service_conninfo(), "application_name", me.application_name("tokens")),
      time, dice);
  auto admin_file = settings.node.data_dir + "/admin.token";
  if (tokens->ensure_admin_file(admin_file))
    log::info("admin_token_written", {{"file", admin_file}});
}

void node::parts::start_hosts() {
  with_threads(caf_config, settings.runtime.workers);
  if (clustered()) {
    set_node_identity(me.node, static_cast<std::uint64_t>(me.incarnation));
    cluster::use_channels(caf_config, channels_of(settings, who));
  }
  actors = std::make_unique<caf::actor_system>(caf_config);
  if (clustered()) {
    cluster_counted = std::make_unique<cluster_metrics>(counted.registry());
    cluster = std::make_unique<clustering>(clustering::dependencies{
        settings, database->service_conninfo(), me, now, who, *lease, time, dice, *later, *db,
        *actors, *cluster_counted, [this](const std::string& why) {
          serving = false;
          on_end(why);
        }});
  }
  region::dependencies d{.db = *db,
                         .time = time,
                         .dice = dice,
                         .kinds = kinds,
                         .probe = counted.entities(),
                         .limits = limits_of(settings),
                         .spawn = caf_host_spawner(*actors),
                         .serving = [this] { return may_serve(); },
                         .publish =
                             [this](const live_event& e) {
                               hub->publish(e);
                               if (cluster)
                                 cluster->publish(e);
                             },
                         .beyond = cluster ? &cluster->beyond() : nullptr,
                         .serves_all = !cluster,
                         .reads = who.build_level,
                         .too_old = [this](const entity_ref& entity,
                                           const std::string& why) { meet_newer(entity, why); }};
  entities = std::make_unique<region>(std::move(d));
  if (cluster)
    cluster->attach(*entities);
  live::hub_options how;
  how.kinds = kinds.names();
  how.progress_types = progress_types();
  how.progress_every = std::chrono::milliseconds(
      1'000 / std::max<std::int64_t>(1, settings.live.progress_per_second));
  how.clustered = clustered();
  hub = std::make_unique<live::live_hub>(how, *db, everywhere(), time);
  if (cluster)
    cluster->hear(*hub);
}

/// Leaves in order, as at SIGTERM: the next owner of its shards has to be a build that can read.
void node::parts::meet_newer(const entity_ref& entity, const std::string& why) {
  log::error("level_too_high",
             {{"entity", std::string_view{entity.str()}}, {"reason", std::string_view{why}}});
  if (!too_old.exchange(true))
    on_end("this build is too old for " + entity.str() + ": " + why);
}

/// Of a node that is alone; a member hears it with every view.
void node::parts::look_at_level() {
  if (who.build_level == cluster::first_level)
    return; // there is nothing else to write
  desk->look([this](const ops::cluster_facts& f) {
    if (f.database_answers)
      entities->view_is_at(f.seen.now.feature_level);
  });
}

void node::parts::wake_all() {
  if (cluster)
    return sweep(0); // each shard is woken when it has been taken
  db->parked(0, max_parked_at_once, [this](outcome<std::vector<parked_row>> rows) {
    if (auto* parked = std::get_if<std::vector<parked_row>>(&rows))
      for (auto& row : *parked)
        entities->mark_parked(row.entity);
    for (shard_id shard = 0; shard < shard_count; ++shard)
      entities->wake_pending(shard, [](std::size_t) {});
  });
  sweep(0);
}

void node::parts::sweep(shard_id shard) {
  later->after(
      std::chrono::duration_cast<std::chrono::milliseconds>(sweep_all_shards) / shard_count,
      [this, shard] {
        sweep(static_cast<shard_id>((shard + 1) % shard_count)); // whatever is thrown below
        if (may_serve() && (!cluster || cluster->serves(shard)))
          entities->wake_pending(shard);
        if (shard == 0)
          cluster ? look_at_parked() : look_at_level();
      });
}

/// Whom an operator has released at another node while the word of it was lost.
void node::parts::look_at_parked() {
  db->parked(0, max_parked_at_once, [this](outcome<std::vector<parked_row>> rows) {
    auto* parked = std::get_if<std::vector<parked_row>>(&rows);
    if (parked == nullptr || parked->size() >= max_parked_at_once)
      return; // who is not in a part of the list may be in the rest
    std::set<entity_ref> listed;
    for (auto& row : *parked)
      listed.insert(row.entity);
    entities->still_parked(listed);
  });
}

void node::parts::fenced(const std::map<shard_id, std::int64_t>& shards) {
  log::warning("shards_fenced", {{"shards", shards.size()}});
  if (cluster)
    return cluster->fenced(shards);
  shards_owned -= std::min(shards_owned.load(), shards.size());
  for (auto& [shard, epoch] : shards)
    entities->drop(shard);
  taking->run([this] { take_again(); });
}

/// The database may be away as well: then once more, a little later.
void node::parts::take_again() {
  if (lease->ended() != lease_end::none)
    return;
  try {
    auto taken = take_shards(database->service_conninfo(), me, now, terms_of(settings));
    shards_owned = taken.size();
    db->adopt(owned(taken));
    for (auto& t : taken)
      entities->open(t.shard);
    log::info("shards_taken", {{"shards", taken.size()}});
  } catch (const std::exception& e) {
    log::warning("shards_not_taken", {{"reason", std::string_view{e.what()}}});
    later->after(std::chrono::duration_cast<std::chrono::milliseconds>(take_again_after),
                 [this] { taking->run([this] { take_again(); }); });
  }
}

void node::parts::supervise() {
  auto give_up = [this](const std::string& reason) {
    log::error("supervisor_gave_up", {{"reason", reason}});
    gave_up = true;
    on_end("a part of the node keeps failing: " + reason);
  };
  restart_policy none; // a group that keeps failing ends the node
  none.intensity = 0;
  root =
      start_supervisor(*actors, supervisor_spec{"root", groups(), none, tree, time, dice, give_up});
}

/// The tree of docs/protocols/supervision.md, in the order in which it starts.
std::vector<child_spec> node::parts::groups() {
  auto group = [this](const char* name, std::vector<child_spec> children) {
    return supervised_group(
        {std::string{"root/"} + name, std::move(children), {}, tree, time, dice, {}});
  };
  auto owned_all = [](std::vector<std::vector<part>> lists) {
    std::vector<child_spec> out;
    for (auto& list : lists)
      for (auto& one : list)
        out.push_back(owner_of(std::move(one)));
    return out;
  };
  part hosts{"region", "region", [](death_notice) {}, [this] { entities->stop(); },
             [this] { return std::to_string(entities->resident_count()) + " entities in memory"; }};
  auto members =
      owned_all({{lease->as_part()}, cluster ? cluster->threads() : std::vector<part>{}});
  members.push_back(heartbeat("heartbeat", lease_beat_every, [this] {
    if (!cluster || draining || cluster->keeps_lease()) // a stop reads no more and still lands
      lease->beat();
  }));
  std::vector<child_spec> out;
  out.push_back(
      group("persistence", owned_all({database->parts(), db->parts(), audit->audit().parts()})));
  out.push_back(group("cluster", std::move(members)));
  out.push_back(group("shards", owned_all({{std::move(hosts), entities->ticking()}})));
  out.push_back(
      group("workers", owned_all({{later->as_part(), background->as_part(), audits->as_part(),
                                   taking->as_part(), tokens->as_part()}})));
  auto edge = gateways->parts();
  edge.insert(edge.begin(), hub->as_part());
  out.push_back(group("gateways", owned_all({std::move(edge)})));
  return out;
}

/// Everything has been stopped in order, or by the supervisor that gave up: waits for the last.
void node::parts::end_supervision() {
  if (!root)
    return;
  caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
  caf::scoped_actor self{*actors};
  self->wait_for(root);
  root = nullptr;
}

std::vector<ops::check> node::parts::readiness() {
  auto owned = shards_owned.load();
  if (cluster) { // by whomever
    auto owners = cluster->owners()->owners;
    owned = static_cast<std::size_t>(
        std::count_if(owners.begin(), owners.end(), [](auto& o) { return !o.free(); }));
  }
  std::vector<ops::check> out{
      seen.answers(),
      seen.keeps(),
      {"lease", lease->valid(), lease->valid() ? "held" : "lapsed"},
      writers_check(db->writers()),
      {"shards", owned == shard_count || (cluster && cluster->whole_lately()),
       std::to_string(owned) + " of " + std::to_string(shard_count) + " owned"},
      {"serving", serving && !draining, draining ? "draining" : "yes"}};
  if (cluster) {
    const auto age = cluster->reading_age();
    out.push_back({"membership", age < terms_of(settings).ttl,
                   "read " + std::to_string(age.count()) + " ms ago"});
    out.push_back({"member", cluster->belongs() && !cluster->leaving(),
                   cluster->leaving()   ? "leaving"
                   : cluster->belongs() ? "yes"
                                        : "joining"});
  }
  return out;
}

void node::start() {
  auto& p = *parts_;
  p.open_database();
  p.take_lease();
  p.later = std::make_unique<delays>(p.time);
  p.background = std::make_unique<ops::background>("background");
  p.audits = std::make_unique<ops::background>("audits");
  p.taking = std::make_unique<ops::background>("taking");
  p.open_store();
  p.start_hosts();
  p.audit =
      std::make_unique<node_auditor>(p.settings, p.database->service_conninfo(), p.me, p.time,
                                     [&p] { return !p.cluster || p.cluster->serves(books_shard); });
  p.counted.add(p.audit->counted());
  p.counted.add(p.tree_counted);
  p.audit->audit().start();
  p.desk = std::make_unique<cluster_desk>(
      cluster_desk::dependencies{p.cluster.get(), p.database->service_conninfo(), p.me, p.now,
                                 p.who, terms_of(p.settings), p.time});
  edge_parts use{p.settings,
                 p.time,
                 p.everywhere(),
                 *p.db,
                 *p.db,
                 *p.trust,
                 *p.tokens,
                 *p.hub,
                 *p.later,
                 *p.background,
                 *p.audits,
                 p.audit->audit(),
                 p.counted,
                 p.tree,
                 *p.entities,
                 [&p](const entity_ref& entity) {
                   p.cluster ? p.cluster->release(entity) : p.entities->release(entity);
                 },
                 *p.desk,
                 p.database->service_conninfo(),
                 [&p] { return p.may_serve(); },
                 [&p] { return p.readiness(); }};
  p.gateways = std::make_unique<edge>(std::move(use));
  p.gateways->open(); // a port in use is told at once, not retried
  p.serving = true;
  if (p.cluster)
    p.cluster->start();
  p.seen.start(*p.db, *p.later);
  p.supervise();
  p.wake_all();
}

void node::stop() {
  auto& p = *parts_;
  const bool out =
      p.cluster && (p.gave_up || p.lease->ended() != lease_end::none || p.cluster->over());
  p.draining = true; // balancers go elsewhere; who asks all the same is served
  bool handed_over = false;
  if (p.cluster && p.gateways && !out)
    handed_over = p.cluster->hand_over(std::chrono::seconds(p.settings.cluster.shutdown_s));
  if (out) // no peer speaks to it any more: the drain below would wait for answers of theirs
    p.cluster->refuse_waiting();
  if (p.gateways)
    p.gateways->drain(std::chrono::milliseconds(p.settings.http.drain_timeout_ms));
  if (handed_over) {
    p.lease->stop(); // it would take the own `left` for a death
    p.cluster->leave(last_word_limit);
  }
  if (p.later)
    p.later->stop();
  if (p.hub)
    p.hub->stop();
  if (p.entities)
    p.entities->stop();
  if (p.cluster)
    p.cluster->stop();
  if (p.db)
    p.db->stop();
  for (auto* worker : {p.taking.get(), p.background.get(), p.audits.get()})
    if (worker != nullptr)
      worker->stop();
  if (p.audit) {
    p.audit->audit().stop();
    p.counted.remove(p.audit->counted());
    p.counted.remove(p.tree_counted);
  }
  p.end_supervision();
  p.actors.reset(); // waits for the actors: they use what goes next
  p.taking.reset();
  p.background.reset();
  p.audits.reset();
  p.gateways.reset();
  p.desk.reset();
  p.audit.reset();
  p.hub.reset();
  p.entities.reset();
  p.cluster.reset();
  if (p.lease)
    p.lease->release();
  if (p.database)
    p.database->stop();
}

bool node::too_old() const {
  return parts_->too_old;
}

std::uint16_t node::public_port() const {
  return parts_->gateways->public_port();
}

std::uint16_t node::internal_port() const {
  return parts_->gateways->internal_port();
}

std::string node::admin_token_file() const {
  return parts_->settings.node.data_dir + "/admin.token";
}

} // namespace rahat
