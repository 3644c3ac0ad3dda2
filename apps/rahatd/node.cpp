#include "apps/rahatd/node.hpp"

#include "apps/rahatd/auditing.hpp"
#include "apps/rahatd/component.hpp"
#include "apps/rahatd/database.hpp"
#include "apps/rahatd/edge.hpp"
#include "apps/rahatd/kinds.hpp"
#include "apps/rahatd/measures.hpp"
#include "gateways/live/live_hub.hpp"
#include "gateways/ops/background.hpp"
#include "persistence/lease/generation.hpp"
#include "persistence/lease/node_lease.hpp"
#include "persistence/lease/take_shards.hpp"
#include "persistence/postgres/pg_store.hpp"
#include "persistence/tokens/token_book.hpp"
#include "runtime/entity/caf_host.hpp"
#include "runtime/ports/delays.hpp"
#include "runtime/telemetry/log.hpp"
#include "runtime/trust/master_key.hpp"
#include "supervision/supervisor.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <stdexcept>
#include <thread>

namespace rahat {

namespace {

using namespace std::chrono_literals;

/// Each shard is looked through for due timers of entities that are not in memory this often.
constexpr auto sweep_all_shards = 30s;
constexpr auto database_check_every = 1s;
constexpr auto database_counts_as_away = 5s;
constexpr auto lease_beat_every = 200ms;
constexpr auto first_lease_limit = 15s;
constexpr std::uint32_t max_parked_at_start = 100'000;

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
  parts(config c, std::function<void(const std::string&)> end)
      : settings(std::move(c)), on_end(std::move(end)) {}

  config settings;
  std::function<void(const std::string&)> on_end;
  system_clock_port time;
  system_random dice;
  measures counted{static_cast<unsigned>(settings.persistence.writers)};
  kind_registry kinds = all_kinds();
  supervision_tree tree;

  std::unique_ptr<data_folder> folder;
  std::unique_ptr<node_database> database;
  node_identity me;
  generation now;
  std::unique_ptr<node_lease> lease;
  std::unique_ptr<sealer> trust;
  std::unique_ptr<delays> later;
  std::unique_ptr<ops::background> background;
  std::unique_ptr<token_book> tokens;
  std::unique_ptr<pg_store> db;
  std::unique_ptr<node_auditor> audit;
  std::unique_ptr<live::live_hub> hub;
  std::unique_ptr<region> entities;
  std::unique_ptr<edge> gateways;

  caf::actor_system_config caf_config;
  std::unique_ptr<caf::actor_system> actors;
  caf::actor root;

  std::atomic<bool> serving{false};
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> shards_owned{0};
  std::atomic<std::int64_t> database_seen_us{0};

  bool may_serve() const { return serving && !draining && lease->valid(); }

  void open_database();
  void take_lease();
  void open_store();
  void start_hosts();
  void wake_all();
  void sweep(shard_id shard);
  void watch_database();
  void fenced(const std::vector<shard_id>& shards);
  void supervise();
  std::vector<ops::check> readiness();
};

node::node(config settings, std::function<void(const std::string&)> on_end)
    : parts_(std::make_unique<parts>(std::move(settings), std::move(on_end))) {}

node::~node() = default;

void node::parts::open_database() {
  folder = std::make_unique<data_folder>(settings.node.data_dir);
  trust = std::make_unique<sealer>(key_of(settings, dice), dice);
  database = std::make_unique<node_database>(settings, *folder);
}

void node::parts::take_lease() {
  auto id = load_node_uuid(folder->path());
  now = read_generation(database->service_conninfo());
  me = register_node(database->service_conninfo(), id, settings.node.name, terms_of(settings));
  lease_callbacks calls;
  calls.on_end = [this](lease_end why) {
    serving = false;
    on_end(std::string{"the lease has ended: "} + to_string(why));
  };
  calls.log = [](std::string_view event, const std::string& detail) {
    log::info(event, {{"detail", detail}});
  };
  lease = std::make_unique<node_lease>(database->service_conninfo(), me, now, terms_of(settings),
                                       std::move(calls));
  lease->start();
  if (!lease->wait_valid(first_lease_limit))
    throw std::runtime_error("the node could not get its lease from the database");
}

void node::parts::open_store() {
  pg::store_options how;
  how.conninfo = database->service_conninfo();
  how.me = me;
  how.now = now;
  how.writers = static_cast<unsigned>(settings.persistence.writers);
  how.readers = static_cast<unsigned>(settings.persistence.readers);
  how.batch_rows = static_cast<std::size_t>(settings.persistence.batch_rows);
  how.batch_bytes = static_cast<std::size_t>(settings.persistence.batch_bytes);
  how.writer_bytes = settings.persistence.queue_bytes;
  how.time = &time;
  how.chance = &dice;
  how.probe = &counted.store();
  db = std::make_unique<pg_store>(how);
  db->on_fenced([this](std::vector<shard_id> shards) { fenced(shards); });
  auto taken = take_shards(database->service_conninfo(), me, now, terms_of(settings));
  shards_owned = taken.size();
  log::info("shards_taken", {{"shards", taken.size()}});
  db->start(owned(taken));
  tokens = std::make_unique<token_book>(database->service_conninfo(), time, dice);
  auto admin_file = settings.node.data_dir + "/admin.token";
  if (tokens->ensure_admin_file(admin_file))
    log::info("admin_token_written", {{"file", admin_file}});
}

void node::parts::start_hosts() {
  with_threads(caf_config, settings.runtime.workers);
  actors = std::make_unique<caf::actor_system>(caf_config);
  region::dependencies d{.db = *db,
                         .time = time,
                         .dice = dice,
                         .kinds = kinds,
                         .probe = counted.entities(),
                         .limits = limits_of(settings),
                         .spawn = caf_host_spawner(*actors),
                         .serving = [this] { return may_serve(); },
                         .publish = [this](const live_event& e) { hub->publish(e); }};
  entities = std::make_unique<region>(std::move(d));
  live::hub_options how;
  how.kinds = kinds.names();
  how.progress_types = progress_types();
  how.progress_every = std::chrono::milliseconds(
      1'000 / std::max<std::int64_t>(1, settings.live.progress_per_second));
  hub = std::make_unique<live::live_hub>(how, *db, *entities, time);
}

void node::parts::wake_all() {
  db->parked(max_parked_at_start, [this](outcome<std::vector<parked_row>> rows) {
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
        if (may_serve())
          entities->wake_pending(shard);
        sweep(static_cast<shard_id>((shard + 1) % shard_count));
      });
}

void node::parts::watch_database() {
  db->heads([this](outcome<std::vector<shard_head>> heads) {
    if (std::holds_alternative<std::vector<shard_head>>(heads))
      database_seen_us = time.boot_us();
  });
  later->after(std::chrono::duration_cast<std::chrono::milliseconds>(database_check_every),
               [this] { watch_database(); });
}

void node::parts::fenced(const std::vector<shard_id>& shards) {
  log::warning("shards_fenced", {{"shards", shards.size()}});
  shards_owned -= std::min(shards_owned.load(), shards.size());
  for (auto shard : shards)
    entities->drop(shard, "the shard is owned elsewhere: try again");
  background->run([this] {
    if (lease->ended() != lease_end::none)
      return;
    auto taken = take_shards(database->service_conninfo(), me, now, terms_of(settings));
    shards_owned = taken.size();
    db->adopt(owned(taken));
    log::info("shards_taken", {{"shards", taken.size()}});
  });
}

void node::parts::supervise() {
  auto give_up = [this](const std::string& reason) {
    log::error("supervisor_gave_up", {{"reason", reason}});
    on_end("a part of the node keeps failing: " + reason);
  };
  auto children = gateways->components();
  children.push_back(heartbeat("lease-heartbeat", lease_beat_every, [this] { lease->beat(); }));
  root = start_supervisor(
      *actors, supervisor_spec{"root", std::move(children), {}, tree, time, dice, give_up});
}

std::vector<ops::check> node::parts::readiness() {
  auto quiet = time.boot_us() - database_seen_us.load();
  bool away = quiet > std::chrono::microseconds(database_counts_as_away).count();
  auto credit = db->writer_credit(0);
  return {{"postgres", !away, away ? "the database does not answer" : "answers"},
          {"lease", lease->valid(), lease->valid() ? "held" : "lapsed"},
          {"writers", credit > 0, std::to_string(credit) + " bytes of queue left"},
          {"shards", shards_owned == shard_count,
           std::to_string(shards_owned) + " of " + std::to_string(shard_count) + " owned"},
          {"serving", serving && !draining, draining ? "draining" : "yes"}};
}

void node::start() {
  auto& p = *parts_;
  p.open_database();
  p.take_lease();
  p.later = std::make_unique<delays>(p.time);
  p.background = std::make_unique<ops::background>();
  p.open_store();
  p.start_hosts();
  p.audit =
      std::make_unique<node_auditor>(p.settings, p.database->service_conninfo(), p.me, p.time);
  p.counted.add(p.audit->counted());
  p.audit->audit().start();
  edge_parts use{p.settings,
                 p.time,
                 *p.entities,
                 *p.db,
                 *p.db,
                 *p.trust,
                 *p.tokens,
                 *p.hub,
                 *p.later,
                 *p.background,
                 p.audit->audit(),
                 p.counted,
                 p.tree,
                 *p.entities,
                 p.database->service_conninfo(),
                 [&p] { return p.may_serve(); },
                 [&p] { return p.readiness(); }};
  p.gateways = std::make_unique<edge>(std::move(use));
  p.gateways->open(); // a port in use is told at once, not retried
  p.serving = true;
  p.watch_database();
  p.supervise();
  p.wake_all();
}

void node::stop() {
  auto& p = *parts_;
  p.draining = true;
  if (p.gateways)
    p.gateways->drain(std::chrono::milliseconds(p.settings.http.drain_timeout_ms));
  if (p.later)
    p.later->stop();
  if (p.hub)
    p.hub->stop();
  if (p.entities)
    p.entities->stop();
  if (p.db)
    p.db->stop();
  p.background.reset();
  if (p.audit) {
    p.audit->audit().stop();
    p.counted.remove(p.audit->counted());
  }
  if (p.root) {
    caf::anon_send_exit(p.root, caf::exit_reason::user_shutdown);
    p.root = nullptr;
  }
  p.actors.reset(); // waits for the actors: they use what goes next
  p.gateways.reset();
  p.audit.reset();
  p.entities.reset();
  p.hub.reset();
  if (p.lease)
    p.lease->release();
  if (p.database)
    p.database->stop();
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
