#include "tests/support/cluster/cluster_process.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/trust/node_certificate.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

#include <cmath>
#include <csignal>
#include <fstream>
#include <iostream>
#include <pqxx/pqxx>
#include <sstream>
#include <stdexcept>

namespace rahat::test {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

constexpr int exit_must_stop = 4;
constexpr const char* port_in_space = "7400"; // of the links: nobody else listens in there
constexpr auto look_limit = 500ms;            // of a node that may be frozen
constexpr auto server_limit = 60s;

/// The value of a family without labels; 0 when it is not there.
double metric(const std::string& page, const std::string& name) {
  auto at = page.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(page.substr(at + 2 + name.size()));
}

embedded_options server_options() {
  auto out = small_server();
  out.tuning.max_connections = 100;
  out.tuning.durable = true; // the doctor looks, and a commit costs what it costs
  return out;
}

} // namespace

struct cluster_process::life {
  bool down = true; // on purpose
  std::size_t self_stops = 0;
  std::size_t failed_starts = 0;
  double fenced_writes = 0, fenced_shards = 0; // of incarnations that are over
  double seen_writes = 0, seen_shards = 0;     // of this one

  void next_incarnation() {
    fenced_writes += std::exchange(seen_writes, 0);
    fenced_shards += std::exchange(seen_shards, 0);
  }
};

cluster_process::cluster_process(cluster_plan plan) : plan_(std::move(plan)) {
  folder_ = std::make_unique<data_folder>(scratch_.path() / "database");
  server_ = std::make_unique<embedded_postgres>(*folder_, server_options(),
                                                embedded_postgres::log_function{});
  server_->start();
  system_random dice;
  write_secret("master", folder_->secret("master_key"));
  auto service = server_->service_conninfo(), owner = server_->owner_conninfo();
  if (const auto& address = plan_.database_address; !address.empty()) {
    open_address();
    service = with_field(service, "host", address);
    owner = with_field(owner, "host", address);
  }
  write_secret("url", service);
  write_secret("admin_url", owner);
  const issue_terms terms{.days = 2, .now_us = system_clock_port{}.now_us()};
  const auto authority = value_or_throw(make_authority("test cluster", terms, dice), "authority");
  std::ofstream{scratch_.path() / "ca.pem"} << authority.certificate;
  for (std::size_t i = 0; i < plan_.nodes; ++i) {
    ids_.push_back(derive_id({scratch_.path().string(), std::to_string(i)}).str());
    nodes_.push_back(std::make_unique<node_process>(flags_of(i)));
    nodes_.back()->use_program(plan_.program);
    if (!plan_.places.empty())
      nodes_.back()->place_in(plan_.places[i].space, plan_.places[i].address);
    lives_.push_back(std::make_unique<life>());
    write_identity(i, authority);
  }
}

cluster_process::~cluster_process() = default;

/// The server listens on its address too; passwords as on its socket.
void cluster_process::open_address() {
  const auto rules = scratch_.path() / "hba.conf";
  std::ofstream{rules} << "local all all scram-sha-256\nhost all all samenet scram-sha-256\n";
  std::ofstream{server_->cluster() / "local.conf"}
      << "listen_addresses = '" << plan_.database_address << "'\nhba_file = '" << rules.string()
      << "'\n";
  for (const auto& file : {rules, server_->cluster() / "local.conf"})
    fs::permissions(file, fs::perms{0644});
  server_->stop();
  server_->start();
}

/// A secret goes by reference.
void cluster_process::write_secret(const std::string& name, const std::string& text) const {
  const auto file = scratch_.path() / name;
  std::ofstream{file} << text << '\n';
  fs::permissions(file, fs::perms{0600});
}

std::vector<std::string> cluster_process::flags_of(std::size_t i) const {
  const auto in = [this](const std::string& name) { return (scratch_.path() / name).string(); };
  const auto own = "node-" + std::to_string(i);
  std::vector<std::string> out{
      "--node.name",           own,
      "--database.url",        "file:" + in("url"),
      "--database.admin_url",  "file:" + in("admin_url"),
      "--trust.master_key",    "file:" + in("master"),
      "--cluster.host",        plan_.places.empty() ? "127.0.0.1" : plan_.places[i].address,
      "--cluster.port",        plan_.places.empty() ? "0" : port_in_space,
      "--cluster.ca",          in("ca.pem"),
      "--cluster.certificate", in(own + ".pem"),
      "--cluster.key",         in(own + ".key")};
  out.insert(out.end(), plan_.flags.begin(), plan_.flags.end());
  return out;
}

/// Who it is has to be known before its first start, or it would have no certificate.
void cluster_process::write_identity(std::size_t i, const key_pair& authority) {
  fs::create_directories(nodes_[i]->data());
  std::ofstream{nodes_[i]->data() / "node.uuid"} << ids_[i] << '\n';
  system_random dice;
  const issue_terms terms{.days = 1, .now_us = system_clock_port{}.now_us()};
  auto pair = value_or_throw(
      make_node_certificate(authority, uuid::parse(ids_[i]).value(), terms, dice), "certificate");
  const auto own = (scratch_.path() / ("node-" + std::to_string(i))).string();
  if (auto failed = write_key_pair(pair, {own + ".pem", own + ".key"}, false))
    throw std::runtime_error(failed->message);
}

void cluster_process::start(std::size_t i) {
  lives_[i]->next_incarnation();
  nodes_[i]->start();
  lives_[i]->down = false;
}

void cluster_process::start_all() {
  for (std::size_t i = 0; i < count(); ++i)
    start(i);
  wait_settled();
}

void cluster_process::note_end(std::size_t i, int code) {
  auto& life = *lives_[i];
  if (code == exit_must_stop)
    ++life.self_stops;
  else
    throw std::runtime_error("node " + std::to_string(i) + " ended with " + std::to_string(code) +
                             "\n" + nodes_[i]->log_tail());
}

void cluster_process::tend() {
  for (std::size_t i = 0; i < count(); ++i) {
    auto& one = *nodes_[i];
    if (lives_[i]->down || one.running())
      continue;
    if (one.pid() > 0)
      note_end(i, one.wait_end());
    try {
      start(i);
    } catch (const std::exception& failed) { // the database may be away: again at the next look
      ++lives_[i]->failed_starts;
      std::cout << "node " << i << " did not start" << std::endl;
    }
  }
}

void cluster_process::kill(std::size_t i) {
  lives_[i]->down = true;
  nodes_[i]->kill_hard();
}

int cluster_process::stop(std::size_t i) {
  lives_[i]->down = true;
  return nodes_[i]->stop();
}

bool cluster_process::ready(std::size_t i) const {
  const auto port = nodes_[i]->internal_port();
  return port != 0 && http_send(port, "GET", "/readiness", {}, {}, look_limit).status == 200;
}

bool cluster_process::settled() const {
  std::size_t up = 0;
  for (std::size_t i = 0; i < count(); ++i)
    if (!lives_[i]->down && !ready(i))
      return false;
    else
      up += lives_[i]->down ? 0 : 1;
  const auto most = static_cast<std::int64_t>(
      std::ceil(1.05 * shard_count / static_cast<double>(std::max<std::size_t>(up, 1))));
  pqxx::connection owner{owner_conninfo()};
  pqxx::nontransaction work{owner};
  const auto rows = work.exec(
      "SELECT count(*) FROM shard s JOIN cluster_member m ON m.node_uuid = s.owner"
      " AND m.incarnation = s.incarnation AND m.status = 'up' GROUP BY s.owner");
  std::int64_t all = 0;
  for (const auto& row : rows) {
    if (row[0].as<std::int64_t>() > most)
      return false;
    all += row[0].as<std::int64_t>();
  }
  return all == shard_count && static_cast<std::size_t>(rows.size()) == up;
}

void cluster_process::wait_settled(std::chrono::seconds limit) {
  const auto good = eventually(
      [this] {
        tend();
        return settled();
      },
      limit, 50);
  if (!good)
    throw std::runtime_error("the cluster does not settle:\n" + standing());
}

std::string cluster_process::standing() const {
  std::ostringstream out;
  pqxx::connection owner{owner_conninfo()};
  pqxx::nontransaction work{owner};
  for (const auto& row :
       work.exec("SELECT m.name, m.incarnation, m.status, m.lease_until - now(),"
                 " count(s.shard) FROM cluster_member m LEFT JOIN shard s ON s.owner = m.node_uuid"
                 " AND s.incarnation = m.incarnation GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"))
    out << row[0].c_str() << " #" << row[1].c_str() << ' ' << row[2].c_str() << ", lease "
        << row[3].c_str() << ", " << row[4].c_str() << " shards\n";
  for (std::size_t i = 0; i < count(); ++i) {
    auto said = http_send(nodes_[i]->internal_port(), "GET", "/readiness", {}, {}, look_limit);
    out << "node " << i << (lives_[i]->down ? " (down)" : "") << ": "
        << (said.fault.empty() ? said.body : said.fault) << '\n'
        << nodes_[i]->log_tail(8) << '\n';
  }
  return out.str();
}

void cluster_process::look_at_metrics() {
  for (std::size_t i = 0; i < count(); ++i) {
    auto page = http_send(nodes_[i]->internal_port(), "GET", "/metrics", {}, {}, look_limit);
    if (!page.ok())
      continue;
    lives_[i]->seen_writes = metric(page.body, "rahat_fenced_writes_total");
    lives_[i]->seen_shards = metric(page.body, "rahat_shards_fenced_total");
  }
}

cluster_losses cluster_process::losses() const {
  cluster_losses out;
  for (std::size_t i = 0; i < count(); ++i) {
    const auto& life = *lives_[i];
    out.fenced_writes += life.fenced_writes + life.seen_writes;
    out.fenced_shards += life.fenced_shards + life.seen_shards;
    out.fences_logged += nodes_[i]->count_in_log("shards_fenced");
    out.self_stops += life.self_stops;
    out.failed_starts += life.failed_starts;
  }
  return out;
}

void cluster_process::restart_postgres_at_once() {
  const auto former = server_->server_pid();
  ::kill(former, SIGQUIT);
  await(
      "Postgres is back",
      [&] {
        return server_->ensure_running() != server_state::waiting &&
               server_->server_pid() != former;
      },
      server_limit);
}

void cluster_process::stop_postgres() {
  server_->stop();
}

void cluster_process::start_postgres() {
  server_->start();
}

} // namespace rahat::test
