#include "apps/rahatctl/demo_node.hpp"

#include "apps/rahatctl/interrupt.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

extern char** environ;

namespace rahat::ctl {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto ready_limit = 60s;
constexpr auto stop_limit = 90s; // it drains its requests and stops its Postgres
constexpr auto look_every = 20ms;
constexpr int poll_ms = 200;

/// The word after a label of the node's ready text: "  API        http://...".
std::string word_after(const std::string& text, const std::string& label) {
  auto at = text.find("\n  " + label + " ");
  if (at == std::string::npos)
    return {};
  std::istringstream rest{text.substr(at + 3 + label.size())};
  std::string word;
  rest >> word;
  return word;
}

std::string tail_of(const std::string& file) {
  std::ifstream in{file};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  std::string out;
  for (std::size_t i = lines.size() > 5 ? lines.size() - 5 : 0; i < lines.size(); ++i)
    out += lines[i] + "\n";
  return out;
}

} // namespace

demo_node::demo_node(std::string program, std::string data) : data_(std::move(data)) {
  spawn(program);
  try {
    wait_until_ready();
  } catch (...) {
    stop();
    throw;
  }
}

demo_node::~demo_node() {
  if (!keep_)
    stop();
  if (output_ >= 0)
    ::close(output_);
}

void demo_node::spawn(const std::string& program) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error(std::string{"no pipe: "} + std::strerror(errno));
  output_ = ends[0];
  std::vector<std::string> words{program,
                                 "--node.data_dir",
                                 data_,
                                 "--http.public_port",
                                 "0",
                                 "--http.internal_port",
                                 "0",
                                 "--log.file",
                                 data_ + "/rahatd.log"};
  std::vector<char*> argv;
  for (auto& w : words)
    argv.push_back(w.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  // Its own session: with --keep it outlives this terminal. A Ctrl-C does not reach it: whoever
  // holds an `interrupt_guard` stops it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  int failed = ::posix_spawn(&pid_, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) {
    pid_ = -1;
    throw std::runtime_error("cannot start " + program + ": " + std::strerror(failed));
  }
}

void demo_node::wait_until_ready() {
  std::string text;
  std::array<char, 4096> piece;
  for (const auto end = steady::now() + ready_limit;;) {
    interrupt_guard::check();
    pollfd waiting{output_, POLLIN, 0};
    if (::poll(&waiting, 1, poll_ms) <= 0) {
      if (steady::now() >= end)
        throw std::runtime_error("the node is not ready after a minute:\n" +
                                 tail_of(data_ + "/rahatd.log"));
      continue;
    }
    auto n = ::read(output_, piece.data(), piece.size());
    if (n <= 0)
      throw std::runtime_error("the node ended while starting:\n" + tail_of(data_ + "/rahatd.log"));
    text.append(piece.data(), static_cast<std::size_t>(n));
    if (!word_after(text, "token").empty())
      break;
  }
  url_ = word_after(text, "API");
  url_ = url_.substr(0, url_.find("/v2"));
  internal_url_ = word_after(text, "operators");
}

int demo_node::stop() {
  if (pid_ <= 0)
    return 0;
  ::kill(pid_, SIGTERM);
  int status = 0;
  const auto end = steady::now() + stop_limit;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (steady::now() >= end) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(look_every);
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace rahat::ctl
