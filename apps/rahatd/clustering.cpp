#include "apps/rahatd/clustering.hpp"

#include "runtime/cluster/driving/repeat.hpp"
#include "runtime/cluster/driving/shared_reading.hpp"
#include "runtime/cluster/feature_level.hpp"
#include "runtime/telemetry/log.hpp"
#include "runtime/trust/keyed_hash.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>

namespace rahat {

namespace {

using namespace std::chrono_literals;

constexpr auto tick_every = 25ms;
constexpr auto unowned_counts_as_lost = 5s;
constexpr const char* product = "rahatd " RAHAT_VERSION;

std::string read_pem(const std::string& file, const char* setting) {
  std::ifstream in{file, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  if (!in)
    throw std::runtime_error("cannot read " + file + " (" + setting + ")");
  return text.str();
}

/// A port that is free now. Another process may take it before we do; then listening fails and says
/// so.
std::uint16_t free_port(const std::string& host) {
  int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  if (::inet_pton(AF_INET, host.c_str(), &at.sin_addr) != 1)
    at.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof at;
  auto* where = reinterpret_cast<sockaddr*>(&at);
  const bool found =
      s >= 0 && ::bind(s, where, sizeof at) == 0 && ::getsockname(s, where, &size) == 0;
  if (s >= 0)
    ::close(s);
  if (!found)
    throw std::runtime_error("no free port on cluster.host " + host);
  return ntohs(at.sin_port);
}

} // namespace

enrolment enrolment_of(const config& settings, const uuid& node, const master_key& key) {
  enrolment who;
  who.node = node;
  who.name = settings.node.name;
  who.operators = settings.http.internal_host + ":" + std::to_string(settings.http.internal_port);
  who.build = product;
  who.build_level = cluster::this_build_reads;
  // Tells two keys apart and says nothing of either.
  auto check = keyed_hash{derive_key(key.key, "rahat cluster key check")}.of({"v1"});
  who.key_check = std::string{view(check)};
  if (settings.cluster.host.empty())
    return who;
  who.address = settings.cluster.host;
  who.port = settings.cluster.port != 0 ? static_cast<std::uint16_t>(settings.cluster.port)
                                        : free_port(settings.cluster.host);
  auto colon = settings.cluster.advertise.rfind(':');
  if (colon != std::string::npos) {
    who.address = settings.cluster.advertise.substr(0, colon);
    who.port = static_cast<std::uint16_t>(std::stoul(settings.cluster.advertise.substr(colon + 1)));
  } else if (!settings.cluster.advertise.empty()) {
    who.address = settings.cluster.advertise;
  }
  return who;
}

cluster::caf_channels_options channels_of(const config& settings, const enrolment& who) {
  cluster::caf_channels_options how;
  how.host = settings.cluster.host;
  how.port =
      settings.cluster.port != 0 ? static_cast<std::uint16_t>(settings.cluster.port) : who.port;
  how.insecure = settings.cluster.insecure;
  how.certificate = settings.cluster.certificate;
  how.key = settings.cluster.key;
  how.authority = settings.cluster.ca;
  return how;
}

cluster::membership_terms membership_terms_of(const config& settings) {
  cluster::membership_terms out;
  out.ttl_us = std::chrono::microseconds{std::chrono::milliseconds{settings.lease.ttl_ms}}.count();
  out.renew_every_us =
      std::chrono::microseconds{std::chrono::milliseconds{settings.lease.renew_ms}}.count();
  return out;
}

/// In order of construction; destroyed in reverse.
struct clustering::parts {
  explicit parts(dependencies given) : d(std::move(given)) {}

  dependencies d;
  cluster::shard_map owners;
  std::unique_ptr<pg_membership> tables;
  std::optional<proof_signer> signer;
  std::optional<proof_verifier> verifier;
  std::unique_ptr<cluster::caf_channels> wires;
  std::unique_ptr<cluster::mesh> links;
  region* hosts = nullptr;

  /// The router needs the hosts, and they need it.
  struct to_router final : rahat::elsewhere {
    cluster::router* way = nullptr;
    void tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
              const std::string& body) override {
      way->tell(source, target, n, body);
    }
    void acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) override {
      way->acknowledge(source, target, n);
    }
  } beyond;
  std::unique_ptr<cluster::router> routes;
  std::unique_ptr<cluster::live_spread> spread;

  using parked_by_shard = std::map<shard_id, std::vector<entity_ref>>;
  /// One list for many shards that are taken at once.
  std::shared_ptr<cluster::shared_reading<parked_by_shard>> parked =
      std::make_shared<cluster::shared_reading<parked_by_shard>>(
          [this](auto done) { read_parked(done); });
  std::unique_ptr<cluster::mover> moves;
  std::unique_ptr<cluster::pilot> membership;

  std::mutex mutex;
  std::condition_variable changed;
  bool left = false;
  std::atomic<bool> stopping{false};
  std::atomic<std::int64_t> whole_us{
      0}; // boot clock: when each shard was last read to have an owner

  cluster::member_id me() const { return {d.me.node, d.me.incarnation}; }

  /// Somebody else could take what this node has.
  bool others_active() const {
    const auto now = membership->now();
    const auto active = now ? now->active() : std::vector<uuid>{};
    return std::any_of(active.begin(), active.end(), [this](auto& id) { return id != d.me.node; });
  }

  /// Owns no shard, and is not assigned one again.
  bool handed_over() const {
    const auto now = membership->now();
    const auto* mine = now ? now->find(me()) : nullptr;
    return mine != nullptr && !mine->active() && moves->held() == 0;
  }

  void load_certificates();
  void make_links();
  void make_router();
  void make_mover();
  void make_pilot();
  void viewed(const std::shared_ptr<const cluster::view>& now, bool newer);
  void ended(cluster::stop_reason why);
  void prepare(shard_id shard, std::function<void()> then);
  void read_parked(const std::function<void(const parked_by_shard&)>& done);
  void tell_all(const wire::Frame& frame);
  void tick();
};

clustering::clustering(dependencies d) : parts_(std::make_shared<parts>(std::move(d))) {
  auto& p = *parts_;
  const std::chrono::microseconds expiry{cluster::membership_terms{}.vote_expiry_us};
  p.tables = std::make_unique<pg_membership>(
      p.d.service_conninfo, p.d.me, p.d.now,
      lease_terms{std::chrono::milliseconds(p.d.settings.lease.ttl_ms),
                  std::chrono::milliseconds(p.d.settings.lease.renew_ms),
                  std::chrono::milliseconds(p.d.settings.lease.margin_ms)},
      expiry, &p.d.time);
  if (!p.d.settings.cluster.insecure)
    p.load_certificates();
  p.make_links();
}

clustering::~clustering() {
  stop();
}

void clustering::parts::load_certificates() {
  const auto& c = d.settings.cluster;
  signer = value_or_throw(proof_signer::make({read_pem(c.certificate, "cluster.certificate"),
                                              read_pem(c.key, "cluster.key")}),
                          "cluster.certificate");
  if (signer->node() != d.me.node)
    throw std::runtime_error("cluster.certificate is of node " + signer->node().str() +
                             ", this one is " + d.me.node.str() +
                             ": make it a certificate with rahatctl certs node");
  verifier =
      value_or_throw(proof_verifier::make(read_pem(c.ca, "cluster.ca"), d.time), "cluster.ca");
}

void clustering::parts::make_links() {
  wires = std::make_unique<cluster::caf_channels>(d.actors, channels_of(d.settings, d.who));
  cluster::link_self self;
  self.id = me();
  self.build_level = d.who.build_level;
  self.insecure = d.settings.cluster.insecure;
  self.signer = signer ? &*signer : nullptr;
  self.verifier = verifier ? &*verifier : nullptr;
  links = std::make_unique<cluster::mesh>(
      cluster::mesh::dependencies{*wires, d.time, d.dice, d.counted.links(), self, {}, [this] {
                                    if (membership)
                                      membership->read_soon();
                                  }});
}

void clustering::parts::make_router() {
  cluster::router::dependencies with{
      .self = d.me.node,
      .here = *hosts,
      .links = *links,
      .owners = owners,
      .time = d.time,
      .probe = d.counted.routes(),
      .later = [this](std::chrono::milliseconds wait,
                      std::function<void()> then) { d.later.after(wait, std::move(then)); },
      .released = [this](shard_id, std::int64_t) { membership->read_soon(); },
      .read_soon = [this] { membership->read_soon(); }};
  routes = std::make_unique<cluster::router>(std::move(with));
  beyond.way = routes.get();
  spread = std::make_unique<cluster::live_spread>(
      cluster::live_spread::dependencies{d.me.node, *links, owners, d.time, d.counted.routes()});
  routes->relay(spread.get());
  links->listen(routes.get());
}

void clustering::parts::make_mover() {
  auto moved = [this](shard_id shard, std::int64_t epoch) {
    wire::Frame frame;
    frame.mutable_moved()->set_shard(shard);
    frame.mutable_moved()->set_epoch(static_cast<std::uint64_t>(epoch));
    frame.mutable_moved()->set_owner(d.me.node.raw());
    tell_all(frame);
    routes->owners_changed();
  };
  auto released = [this](shard_id shard, std::int64_t epoch) {
    wire::Frame frame;
    frame.mutable_released()->set_shard(shard);
    frame.mutable_released()->set_epoch(static_cast<std::uint64_t>(epoch));
    tell_all(frame);
  };
  moves = std::make_unique<cluster::mover>(cluster::mover::dependencies{
      .self = me(),
      .db = *tables,
      .writers = d.db,
      .hosts = *hosts,
      .owners = owners,
      .time = d.time,
      .probe = d.counted.moves(),
      .prepare = [this](shard_id shard,
                        std::function<void()> then) { prepare(shard, std::move(then)); },
      .opened = [this](shard_id shard) { hosts->wake_pending(shard); },
      .taken = moved,
      .released = released,
      .read_soon = [this] { membership->read_soon(); }});
}

void clustering::parts::make_pilot() {
  membership = std::make_unique<cluster::pilot>(cluster::pilot::dependencies{
      .self = me(),
      .build_level = d.who.build_level,
      .db = *tables,
      .right = d.lease,
      .time = d.time,
      .moves = *moves,
      .owners = owners,
      .probe = d.counted.membership(),
      .beating = [] { return true; }, // the lease's own gate asks the scheduler
      .terms = membership_terms_of(d.settings),
      .viewed = [this](std::shared_ptr<const cluster::view> now,
                       bool newer) { viewed(now, newer); },
      .owners_changed = [this] { routes->owners_changed(); },
      .stop = [this](cluster::stop_reason why) { ended(why); }});
  links->on_reading([this](const cluster::member_id& peer, bool reachable) {
    membership->peer(peer, reachable);
  });
}

void clustering::parts::viewed(const std::shared_ptr<const cluster::view>& now, bool newer) {
  hosts->view_is_at(now->feature_level);
  links->viewed(*now, d.me.node);
  auto known = owners.read();
  std::size_t unowned = 0;
  for (auto& owner : known->owners)
    unowned += owner.free() ? 1 : 0;
  if (unowned == 0)
    whole_us = d.time.boot_us();
  const auto open = moves->count(cluster::shard_phase::open);
  d.counted.members(now->active().size(), now->alive().size(), now->version);
  d.counted.shards(open, moves->held() - open, unowned);
  if (newer)
    log::info("cluster_view", {{"view", std::string_view{now->str()}}, {"shards", open}});
}

void clustering::parts::ended(cluster::stop_reason why) {
  log::info("cluster_over", {{"reason", cluster::to_string(why)}});
  {
    std::lock_guard lock{mutex};
    left = true;
  }
  changed.notify_all();
  if (why != cluster::stop_reason::left)
    d.on_end("this node's membership is over: " + std::string{cluster::explain(why)});
}

/// Who is parked there must not be started when the shard opens. A list that cannot be read opens
/// it all the same: others wait for it, and who is started by mistake fails and is parked again.
void clustering::parts::prepare(shard_id shard, std::function<void()> then) {
  parked->ask([this, shard, then](const parked_by_shard& all) {
    const auto here = all.find(shard);
    hosts->parked_are(shard, here == all.end() ? std::vector<entity_ref>{} : here->second);
    then();
  });
}

void clustering::parts::read_parked(const std::function<void(const parked_by_shard&)>& done) {
  d.db.parked(0, max_parked_at_once, [done](outcome<std::vector<parked_row>> rows) {
    parked_by_shard all;
    if (auto* listed = std::get_if<std::vector<parked_row>>(&rows))
      for (auto& row : *listed)
        all[shard_of(row.entity)].push_back(row.entity);
    done(all);
  });
}

void clustering::parts::tell_all(const wire::Frame& frame) {
  for (auto& peer : links->linked())
    links->send(peer, frame);
}

void clustering::parts::tick() {
  links->tick();
  moves->tick();
  membership->tick();
  spread->tick();
  d.counted.reading_age(std::chrono::duration<double>(membership->reading_age()).count());
  changed.notify_all(); // who waits looks again
}

rahat::elsewhere& clustering::beyond() {
  return parts_->beyond;
}

void clustering::attach(region& hosts) {
  auto& p = *parts_;
  p.hosts = &hosts;
  p.make_router();
  p.make_mover();
  p.make_pilot();
}

rahat::entities& clustering::everywhere() {
  return *parts_->routes;
}

void clustering::hear(live_listeners& here) {
  parts_->spread->hear(here);
}

void clustering::publish(const live_event& event) {
  parts_->spread->publish(event);
}

void clustering::start() {
  auto port = parts_->links->start();
  log::info("cluster_listens",
            {{"host", std::string_view{parts_->d.settings.cluster.host}}, {"port", port}});
  cluster::repeat(std::make_shared<cluster::repetition>(cluster::repetition{
      [p = parts_](auto wait, auto then) { p->d.later.after(wait, std::move(then)); },
      std::chrono::duration_cast<std::chrono::milliseconds>(tick_every),
      [p = parts_] { return !p->stopping; }, [p = parts_] { p->tick(); }}));
}

bool clustering::hand_over(std::chrono::milliseconds limit) {
  auto& p = *parts_;
  if (!p.others_active())
    return false;
  p.membership->want(cluster::wish::drain);
  std::unique_lock lock{p.mutex};
  // The last other one may go meanwhile: then this node stays as it is, and nothing moves any more.
  p.changed.wait_for(lock, limit, [&p] { return p.left || p.handed_over() || !p.others_active(); });
  return p.handed_over() && !p.left;
}

void clustering::leave(std::chrono::milliseconds limit) {
  auto& p = *parts_;
  p.membership->want(cluster::wish::leave);
  std::unique_lock lock{p.mutex};
  p.changed.wait_for(lock, limit, [&p] { return p.left; });
}

std::vector<part> clustering::threads() {
  auto out = parts_->tables->parts();
  for (auto& one : parts_->wires->threads())
    out.push_back(std::move(one));
  return out;
}

bool clustering::over() const {
  std::lock_guard lock{parts_->mutex};
  return parts_->left;
}

void clustering::refuse_waiting() {
  if (parts_->routes)
    parts_->routes->stop();
}

void clustering::stop() {
  auto& p = *parts_;
  if (p.stopping.exchange(true))
    return;
  if (p.membership)
    p.membership->stop();
  if (p.moves)
    p.moves->stop();
  if (p.routes)
    p.routes->stop();
  p.links->stop();
  p.tables->stop();
}

bool clustering::belongs() const {
  auto now = parts_->membership->now();
  auto* mine = now ? now->find(parts_->me()) : nullptr;
  return mine != nullptr && (mine->status == cluster::member_status::active ||
                             mine->status == cluster::member_status::leaving);
}

bool clustering::whole_lately() const {
  const std::chrono::microseconds since{parts_->d.time.boot_us() - parts_->whole_us.load()};
  return since < unowned_counts_as_lost;
}

std::chrono::milliseconds clustering::reading_age() const {
  return parts_->membership->reading_age();
}

bool clustering::keeps_lease() {
  return parts_->membership->keeps_lease();
}

bool clustering::leaving() const {
  auto now = parts_->membership->now();
  auto* mine = now ? now->find(parts_->me()) : nullptr;
  return mine != nullptr && mine->status == cluster::member_status::leaving;
}

void clustering::release(const entity_ref& entity) {
  parts_->routes->release(entity);
}

void clustering::fenced(const std::map<shard_id, std::int64_t>& shards) {
  parts_->moves->fenced(shards);
}

bool clustering::serves(shard_id shard) const {
  return parts_->moves->phase(shard) == cluster::shard_phase::open;
}

const cluster::pilot& clustering::membership() const {
  return *parts_->membership;
}
const cluster::mover& clustering::moves() const {
  return *parts_->moves;
}
const cluster::mesh& clustering::links() const {
  return *parts_->links;
}
const cluster::router& clustering::routes() const {
  return *parts_->routes;
}
membership_store& clustering::tables() {
  return *parts_->tables;
}
cluster::shard_map::snapshot clustering::owners() const {
  return parts_->owners.read();
}

} // namespace rahat
