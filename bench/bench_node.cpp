#include "bench/bench_node.hpp"

#include "bench/process.hpp"
#include "persistence/embedded/conninfo.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace rahat::bench {

namespace {

namespace fs = std::filesystem;

constexpr const char* database = "rahat";
constexpr const char* superuser = "rahat_admin";

/// The lines of Postgres' own account of itself: pid, data folder, start, port, socket folder.
std::vector<std::string> postmaster_lines(const std::string& data) {
  std::ifstream in{data + "/postgres/postmaster.pid"};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  if (lines.size() < 5)
    throw std::runtime_error("Postgres does not run in " + data);
  return lines;
}

} // namespace

bench_node::bench_node(const settings& how) : program_(how.rahatd), data_(make_folder("bench")) {
  launch();
  introduce(node_->internal_url(), first_line(data_ + "/admin.token"));
  connect(node_->url());
}

bench_node::~bench_node() {
  auto pid = node_ ? node_->pid() : 0;
  node_.reset();
  forget_child(pid);
  try {
    ::kill(postgres_pid(), SIGINT); // only there when the node was killed and never came back
  } catch (const std::exception&) {
    std::error_code ignored;
    fs::remove_all(data_, ignored);
  }
}

void bench_node::launch() {
  node_ = std::make_unique<ctl::demo_node>(program_, data_);
  remember_child(node_->pid());
}

void bench_node::kill_hard() {
  ::kill(node_->pid(), SIGKILL);
  forget_child(node_->pid());
  node_.reset(); // waits for it
}

double bench_node::start_again() {
  auto began = now_seconds();
  launch();
  auto took = now_seconds() - began;
  connect(node_->url());
  return took;
}

pid_t bench_node::postgres_pid() const {
  return std::stoi(postmaster_lines(data_)[0]);
}

std::string bench_node::conninfo() const {
  auto lines = postmaster_lines(data_);
  return rahat::conninfo({{"host", lines[4]},
                          {"port", lines[3]},
                          {"dbname", database},
                          {"user", superuser},
                          {"password", first_line(data_ + "/secrets/" + superuser)}});
}

std::vector<std::pair<std::string, std::string>> bench_node::postgres_environment() const {
  auto lines = postmaster_lines(data_);
  return {{"PGHOST", lines[4]},
          {"PGPORT", lines[3]},
          {"PGDATABASE", database},
          {"PGUSER", superuser},
          {"PGPASSWORD", first_line(data_ + "/secrets/" + superuser)}};
}

std::string bench_node::postgres_bindir() const {
  auto exe = fs::read_symlink("/proc/" + std::to_string(postgres_pid()) + "/exe");
  return exe.parent_path().string();
}

} // namespace rahat::bench
