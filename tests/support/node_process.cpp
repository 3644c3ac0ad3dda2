#include "tests/support/node_process.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/embedded/postmaster.hpp"
#include "persistence/migrate/roles.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace rahat::test {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto ready_limit = 90s; // crash recovery of a killed Postgres included
constexpr auto end_limit = 60s;
constexpr const char* database_name = "rahat";

std::string word_after(const std::string& text, const std::string& label) {
  auto at = text.find("\n  " + label + " ");
  std::string word;
  if (at != std::string::npos)
    std::istringstream{text.substr(at + 3 + label.size())} >> word;
  return word;
}

/// "http://127.0.0.1:8080/v2" -> 8080.
std::uint16_t port_of(const std::string& url) {
  auto colon = url.rfind(':');
  if (colon == std::string::npos || colon + 1 >= url.size())
    throw std::runtime_error("no port in " + url);
  return static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1)));
}

/// What the environment names (e.g. an installed one, or one under a sanitizer), else what was
/// built with the tests.
std::string usual_program() {
  const char* other = std::getenv("RAHATD");
  return other != nullptr ? other : RAHATD_PROGRAM;
}

/// Starts the program with its stdout (and its stderr, if told) on `out`; it dies with the thread
/// that calls this. In the network namespace of that descriptor, when there is one.
pid_t spawn(const std::string& program, const std::vector<std::string>& flags, int out,
            bool stderr_too, int space = -1) {
  std::vector<std::string> words{program};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (auto& w : words)
    argv.push_back(w.data());
  argv.push_back(nullptr);
  const auto parent = getpid();
  const auto pid = fork();
  if (pid != 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(127);
  if (space >= 0 && setns(space, CLONE_NEWNET) != 0)
    _exit(127);
  setsid(); // a Ctrl-C ends the test, and that ends the node
  dup2(out, STDOUT_FILENO);
  if (stderr_too)
    dup2(out, STDERR_FILENO);
  close_range(3, ~0U, 0);
  execv(argv[0], argv.data());
  _exit(127);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Reads until `enough` says so or the end; false at the deadline.
template <class Enough>
bool read_until(int from, std::string& text, Enough enough, steady::time_point deadline) {
  std::array<char, 4096> piece;
  while (!enough(text)) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now());
    pollfd waiting{from, POLLIN, 0};
    if (::poll(&waiting, 1, std::max(0, static_cast<int>(left.count()))) <= 0)
      return false;
    auto n = ::read(from, piece.data(), piece.size());
    if (n <= 0)
      return false;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return true;
}

/// Both ends close on exec; the child's copy is made by dup2.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  return ends;
}

} // namespace

program_end run_rahatd(const std::vector<std::string>& flags, std::chrono::seconds limit) {
  auto ends = make_pipe();
  const auto pid = spawn(usual_program(), flags, ends[1], true);
  ::close(ends[1]);
  program_end out;
  const auto deadline = steady::now() + limit;
  read_until(
      ends[0], out.output, [](const std::string&) { return false; }, deadline);
  ::close(ends[0]);
  int status = 0;
  if (eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; },
                 std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now()))) {
    out.exit_code = code_of(status);
  } else {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  return out;
}

node_process::node_process(std::vector<std::string> flags)
    : data_(scratch_.path() / "node"),
      log_(scratch_.path() / "rahatd.log"),
      flags_(std::move(flags)) {}

node_process::~node_process() {
  kill_hard();
  thaw_postgres(); // a frozen one would not hear the scratch folder's helper
}

void node_process::place_in(int space, std::string address) {
  space_ = space;
  address_ = std::move(address);
}

std::vector<std::string> node_process::start_flags() const {
  std::vector<std::string> words{
      "--node.data_dir", data_.string(), "--http.public_port", "0", "--http.internal_port", "0",
      "--log.file",      log_.string()};
  if (!address_.empty())
    words.insert(words.end(), {"--http.public_host", address_, "--http.internal_host", address_});
  words.insert(words.end(), flags_.begin(), flags_.end());
  return words;
}

void node_process::start() {
  if (running())
    throw std::logic_error("the node runs already");
  auto ends = make_pipe();
  pid_ =
      spawn(program_.empty() ? usual_program() : program_, start_flags(), ends[1], false, space_);
  ::close(ends[1]);
  try {
    read_ready_text(ends[0]);
  } catch (...) {
    ::close(ends[0]);
    kill_hard();
    throw;
  }
  ::close(ends[0]); // it writes nothing more there
}

void node_process::read_ready_text(int from) {
  std::string text;
  auto complete = [](const std::string& t) { return !word_after(t, "token").empty(); };
  if (!read_until(from, text, complete, steady::now() + ready_limit))
    throw std::runtime_error("the node did not become ready; it said:\n" + text + log_tail());
  auto url = word_after(text, "API");
  const auto api = port_of(url.substr(0, url.find("/v2")));
  const auto operators = port_of(word_after(text, "operators"));
  if (!address_.empty())
    for (auto port : {api, operators})
      port_is_at(port, address_);
  port_ = api;
  internal_port_ = operators;
}

int node_process::stop() {
  send_signal(SIGTERM);
  return wait_end();
}

void node_process::send_signal(int number) {
  if (pid_ > 0)
    ::kill(pid_, number);
}

int node_process::wait_end() {
  int status = 0;
  await(
      "the node had ended", [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, end_limit);
  pid_ = -1;
  return code_of(status);
}

void node_process::kill_hard() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void node_process::freeze() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);
}

void node_process::thaw() {
  ::kill(pid_, SIGCONT);
}

bool node_process::running() const {
  siginfo_t seen{};
  return pid_ > 0 &&
         ::waitid(P_PID, static_cast<id_t>(pid_), &seen, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         seen.si_pid == 0;
}

pid_t node_process::postmaster() const {
  auto file = read_postmaster_file(data_ / "postgres");
  return file && is_postmaster_of(file->pid, data_ / "postgres") ? file->pid : 0;
}

void node_process::kill_postgres(bool children) {
  const auto cluster = data_ / "postgres";
  const auto server = postmaster();
  if (server > 0)
    ::kill(server, SIGKILL);
  if (children)
    for (auto pid : processes_in(cluster))
      ::kill(pid, SIGKILL);
}

void node_process::freeze_postgres() {
  for (auto pid : processes_in(data_ / "postgres"))
    ::kill(pid, SIGSTOP);
}

void node_process::thaw_postgres() {
  for (auto pid : processes_in(data_ / "postgres"))
    ::kill(pid, SIGCONT);
}

std::string node_process::admin_token() const {
  std::ifstream in{data_ / "admin.token"};
  std::string token;
  in >> token;
  return token;
}

std::string node_process::conninfo_of(const std::string& role) const {
  std::ifstream in{data_ / "secrets" / role};
  std::string secret;
  in >> secret;
  auto file = read_postmaster_file(data_ / "postgres");
  if (secret.empty() || !file)
    throw std::runtime_error("the embedded server is not there");
  return conninfo({{"host", file->socket_folder.string()},
                   {"port", std::to_string(file->port)},
                   {"dbname", database_name},
                   {"user", role},
                   {"password", secret},
                   {"connect_timeout", "5"}});
}

std::string node_process::admin_conninfo() const {
  return conninfo_of("rahat_admin");
}

std::string node_process::owner_conninfo() const {
  return conninfo_of(owner_role);
}

std::string node_process::service_conninfo() const {
  return conninfo_of(service_role);
}

std::string node_process::log_tail(std::size_t lines) const {
  std::ifstream in{log_};
  std::deque<std::string> last;
  for (std::string line; std::getline(in, line);) {
    last.push_back(line);
    if (last.size() > lines)
      last.pop_front();
  }
  std::string out;
  for (auto& line : last)
    out += line + '\n';
  return out;
}

std::size_t node_process::count_in_log(std::string_view text) const {
  std::ifstream in{log_};
  std::size_t found = 0;
  for (std::string line; std::getline(in, line);)
    found += line.find(text) != std::string::npos ? 1 : 0;
  return found;
}

} // namespace rahat::test
