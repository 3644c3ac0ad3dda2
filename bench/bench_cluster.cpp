#include "bench/bench_cluster.hpp"

#include "bench/process.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace rahat::bench {

namespace {

namespace fs = std::filesystem;

constexpr int exit_must_stop = 4; // rahatd: its membership is over, a new start joins anew
constexpr double most_of_mean = 1.05;
constexpr int connections_a_node = 50;
constexpr double settle_limit_seconds = 60;
constexpr std::chrono::milliseconds look_every{20};
constexpr std::chrono::seconds patience{30};

/// A secret goes by reference, in a file of one's own.
void write_secret(const std::string& file, const std::string& text) {
  std::ofstream{file} << text << '\n';
  fs::permissions(file, fs::perms{0600});
}

std::string tail_of(const std::string& file) {
  std::ifstream in{file, std::ios::ate};
  const auto size = static_cast<std::streamoff>(in.tellg());
  in.seekg(std::max<std::streamoff>(0, size - 2'000));
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

bench_cluster::bench_cluster(const settings& how, std::size_t nodes)
    : program_(how.rahatd), folder_(make_folder("cluster")) {
  fs::permissions(folder_, fs::perms{0711});
  database_ = std::make_unique<data_folder>(file("database"));
  embedded_options options;
  options.tuning.max_connections = connections_a_node * static_cast<int>(nodes);
  server_ =
      std::make_unique<embedded_postgres>(*database_, options, embedded_postgres::log_function{});
  server_->start();
  remember_child(server_->server_pid());
  try {
    write_secret(file("master"), database_->secret("master_key"));
    write_secret(file("url"), server_->service_conninfo());
    write_secret(file("admin_url"), server_->owner_conninfo());
    system_random dice;
    const issue_terms terms{.days = 2, .now_us = system_clock_port{}.now_us()};
    const auto authority =
        value_or_throw(make_authority("bench cluster", terms, dice), "authority");
    std::ofstream{file("ca.pem")} << authority.certificate;
    for (std::size_t i = 0; i < nodes; ++i)
      make_member(i, authority);
    begin();
  } catch (...) {
    end_all();
    throw;
  }
}

bench_cluster::~bench_cluster() {
  end_all();
}

void bench_cluster::end_all() {
  for (auto& node : nodes_)
    if (node.pid > 0)
      end(node.pid, SIGKILL);
  forget_child(server_->server_pid());
  try {
    server_->stop();
  } catch (const std::exception& e) {
    say(std::string{"Postgres does not stop: "} + e.what());
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

/// Who it is has to be known before its first start, or it would have no certificate.
void bench_cluster::make_member(std::size_t i, const key_pair& authority) {
  const auto own = file("node-" + std::to_string(i));
  const auto id = derive_id({folder_, std::to_string(i)});
  nodes_.push_back({id, own, free_port(), free_port(), free_port()});
  fs::create_directories(own);
  std::ofstream{own + "/node.uuid"} << id.str() << '\n';
  system_random dice;
  const issue_terms terms{.days = 1, .now_us = system_clock_port{}.now_us()};
  auto pair = value_or_throw(make_node_certificate(authority, id, terms, dice), "certificate");
  if (auto failed = write_key_pair(pair, {own + ".pem", own + ".key"}, false))
    throw std::runtime_error(failed->message);
}

void bench_cluster::begin() {
  start(0); // alone: it makes the tables
  settle();
  introduce(internal_url(0), first_line(nodes_[0].data + "/admin.token"));
  through(0);
  for (std::size_t i = 1; i < size(); ++i)
    start(i);
  settle();
}

void bench_cluster::start(std::size_t i) {
  auto& node = nodes_[i];
  node.pid = bench::start({program_,
                           "--node.data_dir",
                           node.data,
                           "--node.name",
                           "node-" + std::to_string(i),
                           "--http.public_port",
                           std::to_string(node.public_port),
                           "--http.internal_port",
                           std::to_string(node.internal_port),
                           "--log.file",
                           node.data + ".log",
                           "--database.url",
                           "file:" + file("url"),
                           "--database.admin_url",
                           "file:" + file("admin_url"),
                           "--trust.master_key",
                           "file:" + file("master"),
                           "--cluster.host",
                           "127.0.0.1",
                           "--cluster.port",
                           std::to_string(node.cluster_port),
                           "--cluster.ca",
                           file("ca.pem"),
                           "--cluster.certificate",
                           node.data + ".pem",
                           "--cluster.key",
                           node.data + ".key"},
                          node.data + ".out");
}

void bench_cluster::kill(std::size_t i) {
  end(std::exchange(nodes_[i].pid, 0), SIGKILL);
}

void bench_cluster::stop(std::size_t i) {
  if (auto code = end(std::exchange(nodes_[i].pid, 0)); code != 0)
    throw std::runtime_error("node " + std::to_string(i) + " stopped with " + std::to_string(code) +
                             ":\n" + tail_of(nodes_[i].data + ".log"));
}

void bench_cluster::tend() {
  for (std::size_t i = 0; i < size(); ++i) {
    auto& node = nodes_[i];
    const auto code = node.pid > 0 ? ended(node.pid) : std::nullopt;
    if (!code)
      continue;
    node.pid = 0;
    if (*code != exit_must_stop)
      throw std::runtime_error("node " + std::to_string(i) + " ended with " +
                               std::to_string(*code) + ":\n" + tail_of(node.data + ".out") +
                               tail_of(node.data + ".log"));
    ++self_stops_;
    start(i);
  }
}

void bench_cluster::settle() {
  const auto until = now_seconds() + settle_limit_seconds;
  for (;;) {
    tend();
    if (settled())
      return;
    if (now_seconds() > until)
      throw std::runtime_error("the cluster does not settle:\n" + standing());
    std::this_thread::sleep_for(look_every);
  }
}

bool bench_cluster::settled() const {
  std::size_t up = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    if (nodes_[i].pid == 0)
      continue;
    ++up;
    ctl::client asking{internal_url(i), ""};
    if (!asking.get("/readiness").ok())
      return false;
  }
  const auto most =
      static_cast<int>(std::ceil(most_of_mean * shard_count / static_cast<double>(up)));
  const auto counts = column(
      "SELECT count(*) FROM shard s JOIN cluster_member m ON m.node_uuid = s.owner"
      " AND m.incarnation = s.incarnation AND m.status = 'up' GROUP BY s.owner");
  int all = 0;
  for (auto& count : counts) {
    if (std::stoi(count) > most)
      return false;
    all += std::stoi(count);
  }
  return all == shard_count && counts.size() == up;
}

std::string bench_cluster::standing() const {
  std::string out;
  for (auto& row : column("SELECT concat_ws(' ', m.name, m.incarnation, m.status,"
                          " m.lease_until - clock_timestamp(), count(s.shard), 'shards')"
                          " FROM cluster_member m LEFT JOIN shard s ON s.owner = m.node_uuid"
                          " AND s.incarnation = m.incarnation"
                          " GROUP BY m.name, m.incarnation, m.status, m.lease_until"))
    out += row + "\n";
  for (auto& node : nodes_)
    out += tail_of(node.data + ".log") + "\n";
  return out;
}

void bench_cluster::drain(std::size_t i, bool away) {
  ctl::client asking{internal_url(0), first_line(nodes_[0].data + "/admin.token")};
  const auto got = asking.post(
      "/internal/v1/cluster/members/" + nodes_[i].id.str() + (away ? "/drain" : "/undrain"), "");
  if (!got.ok())
    throw std::runtime_error("the node cannot be drained: " + got.fault + got.body);
}

std::set<shard_id> bench_cluster::shards_of(std::size_t i) const {
  std::set<shard_id> out;
  for (auto& shard : column("SELECT shard FROM shard WHERE owner = '" + nodes_[i].id.str() + "'"))
    out.insert(static_cast<shard_id>(std::stoi(shard)));
  return out;
}

void bench_cluster::through(std::size_t i) {
  connect(url_of(i), patience);
}

std::string bench_cluster::url_of(std::size_t i) const {
  return "http://127.0.0.1:" + std::to_string(nodes_[i].public_port);
}

std::string bench_cluster::internal_url(std::size_t i) const {
  return "http://127.0.0.1:" + std::to_string(nodes_[i].internal_port);
}

bench_cluster::cpu bench_cluster::cpu_spent() const {
  cpu spent{.server = cpu_seconds(server_->server_pid())};
  for (auto& node : nodes_)
    spent.nodes += node.pid > 0 ? own_cpu_seconds(node.pid) : 0;
  return spent;
}

} // namespace rahat::bench
