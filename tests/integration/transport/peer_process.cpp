#include "peer_process.hpp"

#include "tests/support/eventually.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <chrono>
#include <csignal>
#include <sstream>
#include <stdexcept>

namespace rahat::test {

namespace {

using steady = std::chrono::steady_clock;

[[noreturn]] void become_peer(std::vector<char*> argv, int in, int out, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || ::dup2(in, STDIN_FILENO) < 0 || ::dup2(out, STDOUT_FILENO) < 0)
    ::_exit(127);
  ::close_range(3, ~0U, 0);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

} // namespace

peer_process::peer_process(const std::vector<std::string>& flags) {
  std::vector<std::string> words{TRANSPORT_PEER_PROGRAM};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  std::array<int, 2> commands{};
  std::array<int, 2> answers{};
  // Sockets for commands: writing to a dead peer is then an error and no signal.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, commands.data()) != 0 ||
      ::pipe2(answers.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipes for a peer");
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0)
    become_peer(std::move(argv), commands[1], answers[1], parent);
  ::close(commands[1]);
  ::close(answers[1]);
  to_ = commands[0];
  from_ = answers[0];

  auto line = answer();
  std::istringstream parts{line};
  std::string ready;
  std::string ours;
  std::string guarded;
  parts >> ready >> node_id_ >> ours >> guarded >> port_;
  if (ready != "ready" || port_ == 0) {
    kill_hard();
    throw std::runtime_error("the peer did not start; it said: " + line);
  }
  ours_ = ours == "ours";
  guarded_ = guarded == "guarded";
}

peer_process::~peer_process() {
  kill_hard();
  ::close(to_);
  ::close(from_);
}

std::string peer_process::tell(const std::string& command) {
  send(command);
  return answer();
}

void peer_process::send(const std::string& command) {
  auto line = command + '\n';
  if (::send(to_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    throw std::runtime_error("the peer does not hear any more");
}

std::string peer_process::answer() {
  const auto deadline = steady::now() + patience;
  std::array<char, 1024> piece;
  while (unread_.find('\n') == std::string::npos) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now());
    pollfd waiting{from_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      return "error: no answer in time";
    auto n = ::read(from_, piece.data(), piece.size());
    if (n <= 0)
      return "error: the peer has ended";
    unread_.append(piece.data(), static_cast<std::size_t>(n));
  }
  auto end = unread_.find('\n');
  auto line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

void peer_process::kill_hard() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

} // namespace rahat::test
