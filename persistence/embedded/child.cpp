#include "persistence/embedded/child.hpp"

#include "persistence/embedded/errors.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace rahat {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t max_output_bytes = 64 << 10;
constexpr int exec_failed = 127;

/// Everything the child needs, made before the fork: between fork and exec only plain system calls
/// are allowed, since other threads may have held the allocator's lock.
struct prepared {
  explicit prepared(const std::vector<std::string>& command) : words(command) {
    for (auto& word : words)
      argv.push_back(word.data());
    argv.push_back(nullptr);
    for (auto& setting : settings)
      envp.push_back(setting.data());
    envp.push_back(nullptr);
  }

  std::vector<std::string> words;
  std::vector<std::string> settings{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                    "TZ=UTC"};
  std::vector<char*> argv;
  std::vector<char*> envp;
};

[[noreturn]] void exec_as(prepared& what, const os_account& account, int output_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int sig : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2})
    signal(sig, SIG_DFL);
  setsid();
  const int null_fd = open("/dev/null", O_RDONLY);
  if (dup2(null_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
    _exit(exec_failed);
  close_range(3, ~0U, 0); // sockets and locks of ours must not live on in the server
  umask(077);
  if (!become(account) || chdir("/") != 0)
    _exit(exec_failed);
  execve(what.argv[0], what.argv.data(), what.envp.data());
  _exit(exec_failed);
}

/// Waits for the child's end and collects what it says; false when the limit passed first.
bool collect(int fd, std::string& output, steady_clock::time_point deadline) {
  char chunk[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0)
      return false;
    pollfd waiting{fd, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      continue;
    const auto n = read(fd, chunk, sizeof chunk);
    if (n <= 0)
      return true;
    if (output.size() < max_output_bytes)
      output.append(chunk, static_cast<std::size_t>(n));
  }
}

} // namespace

pid_t spawn_program(const std::vector<std::string>& argv, const os_account& account, int log_fd) {
  prepared what{argv};
  const auto child = fork();
  if (child < 0)
    throw embedded_error{std::string{"cannot start a process: "} + std::strerror(errno)};
  if (child == 0)
    exec_as(what, account, log_fd);
  return child;
}

program_result run_program(const std::vector<std::string>& argv, const os_account& account,
                           milliseconds limit) {
  int said[2];
  if (pipe2(said, O_CLOEXEC) != 0)
    throw embedded_error{std::string{"cannot make a pipe: "} + std::strerror(errno)};
  program_result result;
  pid_t child = -1;
  try {
    child = spawn_program(argv, account, said[1]);
  } catch (...) {
    close(said[0]);
    close(said[1]);
    throw;
  }
  close(said[1]);
  result.timed_out = !collect(said[0], result.output, steady_clock::now() + limit);
  close(said[0]);
  if (result.timed_out)
    kill(-child, SIGKILL); // its own session, so its own group
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && !result.timed_out)
    result.exit_code = WEXITSTATUS(status);
  return result;
}

} // namespace rahat
