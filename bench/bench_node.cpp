#include "bench/bench_node.hpp"

#include "apps/rahatctl/output.hpp"
#include "bench/process.hpp"
#include "persistence/embedded/conninfo.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <pqxx/pqxx>
#include <sstream>
#include <stdexcept>

namespace rahat::bench {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr const char* database = "rahat";
constexpr const char* superuser = "rahat_admin";
constexpr std::chrono::seconds longest_call{1'800};

std::string first_line(const std::string& file) {
  std::ifstream in{file};
  std::string line;
  if (!std::getline(in, line))
    throw std::runtime_error("cannot read " + file);
  return line;
}

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
  auto admin = ctl::client{node_->internal_url(), first_line(data_ + "/admin.token")};
  auto token_for = [&](const char* user, const char* role) {
    json::object body{{"user", user}, {"role", role}};
    return text_of(
        ask(admin,
            {.method = "POST", .path = "/internal/v1/tokens", .body = json::serialize(body)}),
        "token");
  };
  maker_token_ = token_for("bench-maker", "maker");
  checker_token_ = token_for("bench-checker", "checker");
  maker_ = std::make_unique<ctl::client>(url(), maker_token_);
  checker_ = std::make_unique<ctl::client>(url(), checker_token_);
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
  maker_ = std::make_unique<ctl::client>(url(), maker_token_);
  checker_ = std::make_unique<ctl::client>(url(), checker_token_);
  return took;
}

json::value bench_node::ask(ctl::client& who, const ctl::call& what) {
  auto got = who.send(what);
  if (!got.fault.empty())
    throw std::runtime_error(got.fault);
  auto document = ctl::parse_json(got.body);
  if (!got.ok() || !document)
    throw std::runtime_error(what.method + " " + what.path + " got " + std::to_string(got.status) +
                             ": " + got.body);
  return *document;
}

json::value bench_node::get(const std::string& path) {
  return ask(*maker_, {.path = path});
}

json::value bench_node::post(const std::string& path, const std::string& body) {
  return ask(*maker_, {.method = "POST", .path = path, .body = body});
}

json::value bench_node::post_as_checker(const std::string& path, const std::string& body) {
  return ask(*checker_, {.method = "POST", .path = path, .body = body});
}

json::value bench_node::upload(const std::string& path, const std::string& csv) {
  std::istringstream in{csv};
  return ask(*maker_, {.method = "POST",
                       .path = path,
                       .content_type = "text/csv",
                       .upload = &in,
                       .timeout = longest_call});
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

void bench_node::sql(const std::string& statement) const {
  pqxx::connection connection{conninfo()};
  pqxx::nontransaction work{connection};
  work.exec(statement);
}

std::vector<std::string> bench_node::column(const std::string& query) const {
  pqxx::connection connection{conninfo()};
  pqxx::nontransaction work{connection};
  std::vector<std::string> out;
  for (const auto& row : work.exec(query))
    out.emplace_back(row[0].c_str());
  return out;
}

std::vector<std::string> bench_node::make_projects(std::size_t count) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < count; ++i) {
    json::object body{
        {"name", "Project " + std::to_string(i)}, {"type", "cash"}, {"currency", "NPR"}};
    ids.push_back(text_of(post("/v2/projects", json::serialize(body)), "id"));
    post("/v2/projects/" + ids.back() + "/activate");
  }
  return ids;
}

std::string text_of(const json::value& view, std::string_view name) {
  auto* found = ctl::member(view, name);
  if (found == nullptr || !found->is_string())
    throw std::runtime_error("an answer has no " + std::string{name} + ": " +
                             json::serialize(view));
  return std::string{found->as_string()};
}

std::int64_t count_of(const json::value& view, std::string_view name) {
  return ctl::number(ctl::member(view, name)).value_or(0);
}

double now_seconds() {
  auto t = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(t).count();
}

void say(const std::string& line) {
  std::cerr << "  " << line << std::endl;
}

} // namespace rahat::bench
