#include "apps/rahatd/edge.hpp"

#include "apps/rahatd/file_limit.hpp"
#include "gateways/http/openapi.hpp"
#include "gateways/http/prometheus_probe.hpp"
#include "gateways/http/server.hpp"
#include "gateways/live/gateway.hpp"
#include "gateways/live/prometheus_live.hpp"
#include "gateways/rest/routes.hpp"
#include "persistence/lease/doctor.hpp"
#include "runtime/telemetry/log.hpp"
#include "runtime/telemetry/time_text.hpp"

#include <mutex>

namespace rahat {

namespace {

constexpr auto live_drain = std::chrono::milliseconds(2'000);
constexpr const char* version = RAHAT_VERSION;

http::server_options options_of(const config& c, const clock& time) {
  http::server_options o;
  o.max_connections = static_cast<std::size_t>(c.http.max_connections);
  o.max_header_bytes = static_cast<std::size_t>(c.http.max_header_bytes);
  o.max_body_bytes = static_cast<std::size_t>(c.http.max_body_bytes);
  // A little more than an upload may have: its own reader then refuses it and abandons the upload.
  o.max_stream_bytes = static_cast<std::uint64_t>(c.upload.max_bytes) + 64 * 1024;
  o.header_timeout = std::chrono::milliseconds(c.http.header_timeout_ms);
  o.body_timeout = std::chrono::milliseconds(c.http.body_timeout_ms);
  o.reply_timeout = std::chrono::milliseconds(c.http.reply_timeout_ms);
  o.idle_timeout = std::chrono::milliseconds(c.http.idle_timeout_ms);
  o.wall_clock_seconds = [&time] { return time.now_us() / 1'000'000; };
  return o;
}

std::vector<ops::doctor_row> examine(const config& settings, const std::string& conninfo) {
  std::vector<ops::doctor_row> out;
  for (auto& f : examine_database(conninfo))
    out.push_back({f.name, f.how == finding::weight::refuse, f.sentence});
  if (auto shortage = file_shortage(settings); !shortage.empty())
    out.push_back({"file_limit_low", false, std::move(shortage)});
  return out;
}

ops::token_row row_of(const token_entry& e) {
  return {e.id, e.owner.user, e.owner.role, e.created_us, e.revoked_us};
}

ops::token_desk desk_of(token_book& book, const sealer& trust) {
  ops::token_desk desk;
  desk.create = [&](const ops::token_ask& ask) -> std::variant<ops::made_token, error> {
    auto made = book.create_once(ask.user, ask.role, trust.token_secret(ask.asker, ask.key));
    if (auto* e = std::get_if<error>(&made))
      return *e;
    auto& token = std::get<std::string>(made);
    return ops::made_token{token_book::id_of(token), token};
  };
  desk.list = [&](const ops::page_ask& ask) -> std::variant<ops::token_page, error> {
    auto found = book.list(ask.limit, ask.cursor);
    if (auto* e = std::get_if<error>(&found))
      return *e;
    auto& list = std::get<token_list>(found);
    ops::token_page page;
    for (auto& entry : list.rows)
      page.rows.push_back(row_of(entry));
    page.next = std::move(list.next);
    return page;
  };
  desk.revoke = [&](const std::string& id) -> std::variant<ops::token_row, error> {
    auto gone = book.revoke(id);
    if (auto* e = std::get_if<error>(&gone))
      return *e;
    return row_of(std::get<token_entry>(gone));
  };
  return desk;
}

} // namespace

struct edge::impl {
  explicit impl(edge_parts u) : use(std::move(u)) {}

  edge_parts use;
  http::prometheus_probe public_probe{"public"};
  http::prometheus_probe internal_probe{"internal"};
  live::prometheus_live live_counted;
  std::mutex opening;      // guards the listeners
  std::mutex live_changes; // guards the next one
  std::shared_ptr<live::live_gateway> live;
  std::unique_ptr<http::server> public_server;
  std::unique_ptr<http::server> internal_server;
  std::uint16_t public_port = 0;
  std::uint16_t internal_port = 0;

  http::authenticator who() {
    return [&book = use.tokens](std::string_view token) -> std::optional<http::caller> {
      auto owner = book.owner_of(token);
      if (!owner)
        return std::nullopt;
      return http::caller{owner->user, owner->role};
    };
  }

  std::shared_ptr<live::live_gateway> live_now() {
    std::lock_guard lock{live_changes};
    return live;
  }

  void set_live(std::shared_ptr<live::live_gateway> next) {
    std::lock_guard lock{live_changes};
    live.swap(next);
  }

  void open_live();
  void close_live();
  void open_public();
  void open_internal();
};

void edge::impl::open_live() {
  live::live_options how;
  how.max_connections = static_cast<std::size_t>(use.settings.live.max_connections);
  how.max_queued_events = static_cast<std::size_t>(use.settings.live.queue_messages);
  how.now = [this] { return rfc3339(use.time.now_us()); };
  how.probe = &live_counted;
  auto fresh = std::make_shared<live::live_gateway>(how, who(), use.hub);
  fresh->start();
  set_live(std::move(fresh));
}

void edge::impl::close_live() {
  if (auto old = live_now())
    old->drain(std::chrono::milliseconds{0});
  set_live(nullptr);
}

void edge::impl::open_public() {
  rest::rest_context context{use.entities,
                             use.queries,
                             use.time,
                             use.trust,
                             [this](std::chrono::milliseconds delay, std::function<void()> then) {
                               use.later.after(delay, std::move(then));
                             },
                             {}};
  context.uploads.max_bytes = static_cast<std::uint64_t>(use.settings.upload.max_bytes);
  context.uploads.max_rows = static_cast<std::uint32_t>(use.settings.upload.max_rows);
  auto routes = rest::make_routes(context);
  http::openapi_info about;
  about.version = version;
  about.description = "Registers households, pays them, lets them redeem, settles vendors.";
  http::add_openapi_route(routes, about);
  http::router_options gate;
  gate.open_paths = {};
  gate.ready = use.may_serve;
  auto how = options_of(use.settings, use.time);
  how.address = use.settings.http.public_host;
  how.port =
      public_port != 0 ? public_port : static_cast<std::uint16_t>(use.settings.http.public_port);
  how.io_threads = static_cast<unsigned>(use.settings.http.io_threads);
  how.upgrade_path = "/v2/live";
  how.on_upgrade = [this](http::upgraded connection) {
    if (auto to = live_now())
      to->take(std::move(connection));
  };
  public_server = std::make_unique<http::server>(how, http::router{std::move(routes), gate}, who(),
                                                 public_probe);
  public_port = public_server->start();
}

void edge::impl::open_internal() {
  ops::context c;
  c.version = version;
  c.readiness = use.readiness;
  c.metrics = [this] { return use.counted.text(); };
  c.actors = [this] {
    std::vector<ops::actor_row> rows;
    for (auto& n : use.tree.nodes())
      rows.push_back({n.path, n.kind, n.state, n.restarts, n.last_error, n.since_us, n.health});
    return rows;
  };
  c.entities = [this](std::size_t limit) {
    std::vector<ops::entity_row> rows;
    for (auto& r : use.hosts.residents(limit))
      rows.push_back({r.entity.str(), r.in_flight, r.failures, r.parked});
    return rows;
  };
  c.tokens = desk_of(use.tokens, use.trust);
  c.doctor = [this] { return examine(use.settings, use.service_conninfo); };
  c.db = &use.db;
  c.audit = &use.audit;
  c.members = &use.members;
  c.release = use.release;
  c.in_background = [this](std::function<void()> job) { use.background.run(std::move(job)); };
  c.in_audits = [this](std::function<void()> job) { use.audits.run(std::move(job)); };
  auto how = options_of(use.settings, use.time);
  how.address = use.settings.http.internal_host;
  how.port = internal_port != 0 ? internal_port
                                : static_cast<std::uint16_t>(use.settings.http.internal_port);
  how.max_connections = internal_connections;
  how.reply_timeout = std::chrono::minutes(10); // an audit reads everything
  internal_server =
      std::make_unique<http::server>(how, http::router{ops::make_routes(c)}, who(), internal_probe);
  internal_port = internal_server->start();
}

edge::edge(edge_parts use) : impl_(std::make_unique<impl>(std::move(use))) {
  impl_->use.counted.add(impl_->public_probe);
  impl_->use.counted.add(impl_->internal_probe);
  impl_->use.counted.add(impl_->live_counted);
}

edge::~edge() {
  impl_->use.counted.remove(impl_->public_probe);
  impl_->use.counted.remove(impl_->internal_probe);
  impl_->use.counted.remove(impl_->live_counted);
}

void edge::open() {
  impl_->open_live();
  impl_->open_public();
  impl_->open_internal();
}

std::vector<part> edge::parts() {
  auto* i = impl_.get();
  // Only the one who opens or closes listeners holds the lock, never who serves them.
  auto locked = [i](auto what) {
    return [i, what](auto&&...) {
      std::lock_guard lock{i->opening};
      what(*i);
    };
  };
  auto close = [](std::unique_ptr<http::server>& server) {
    if (server)
      server->drain(std::chrono::milliseconds{0});
    server.reset();
  };
  part live{"live", "gateway", {}, locked([](impl& e) { e.close_live(); }), [i] {
              auto now = i->live_now();
              return std::to_string(now ? now->connections() : 0) + " connections";
            }};
  live.start = [i](death_notice died) {
    std::lock_guard lock{i->opening};
    auto now = i->live_now();
    if (!now || !now->running())
      i->open_live();
    i->live_now()->watch(std::move(died));
  };
  // A broken listener serves on until it is replaced.
  auto listening = [i, close](auto server, auto open) {
    return [i, close, server, open](death_notice died) {
      std::lock_guard lock{i->opening};
      if (i->*server && (i->*server)->broken())
        close(i->*server);
      if (!(i->*server))
        (i->*open)();
      (i->*server)->watch(std::move(died));
    };
  };
  part open{"public", "gateway", listening(&impl::public_server, &impl::open_public),
            locked([close](impl& e) { close(e.public_server); }),
            [i] { return "port " + std::to_string(i->public_port); }};
  part internal{"internal", "gateway", listening(&impl::internal_server, &impl::open_internal),
                locked([close](impl& e) { close(e.internal_server); }),
                [i] { return "port " + std::to_string(i->internal_port); }};
  return {std::move(live), std::move(open), std::move(internal)};
}

void edge::drain(std::chrono::milliseconds limit) {
  std::lock_guard lock{impl_->opening};
  if (auto live = impl_->live_now())
    live->drain(live_drain);
  if (impl_->public_server)
    impl_->public_server->drain(limit);
  if (impl_->internal_server)
    impl_->internal_server->drain(std::chrono::milliseconds{500});
}

std::uint16_t edge::public_port() const {
  return impl_->public_port;
}

std::uint16_t edge::internal_port() const {
  return impl_->internal_port;
}

} // namespace rahat
