#include "bench/process.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace rahat::bench {

namespace {

namespace fs = std::filesystem;

/// Fields of /proc/PID/stat behind the name, counted from the state (field 3) as 0.
struct process_stat {
  pid_t parent = 0;
  double cpu_ticks = 0;
  double reaped_ticks = 0;
};

bool read_stat(const fs::path& folder, process_stat& out) {
  std::ifstream in{folder / "stat"};
  std::string line;
  if (!std::getline(in, line))
    return false;
  std::istringstream rest{line.substr(line.rfind(')') + 2)};
  std::vector<std::string> field;
  for (std::string word; rest >> word;)
    field.push_back(word);
  if (field.size() < 15)
    return false;
  out.parent = std::stoi(field[1]);
  out.cpu_ticks = std::stod(field[11]) + std::stod(field[12]);
  out.reaped_ticks = std::stod(field[13]) + std::stod(field[14]);
  return true;
}

std::map<pid_t, process_stat> all_processes() {
  std::map<pid_t, process_stat> all;
  for (auto& entry : fs::directory_iterator{"/proc"}) {
    auto name = entry.path().filename().string();
    process_stat one;
    if (name.find_first_not_of("0123456789") == std::string::npos && read_stat(entry.path(), one))
      all[std::stoi(name)] = one;
  }
  return all;
}

std::vector<pid_t> tree_of(pid_t root, const std::map<pid_t, process_stat>& all) {
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i)
    for (auto& [pid, stat] : all)
      if (stat.parent == tree[i])
        tree.push_back(pid);
  return tree;
}

constexpr std::size_t max_children = 8;
std::array<std::atomic<pid_t>, max_children> children{};

extern "C" void end_all(int signal) {
  for (auto& child : children)
    if (auto pid = child.load(); pid > 0)
      ::kill(pid, SIGTERM);
  ::_exit(128 + signal);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class words {
public:
  explicit words(std::vector<std::string> all) : all_(std::move(all)) {
    for (auto& w : all_)
      pointers_.push_back(w.data());
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

private:
  std::vector<std::string> all_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment(
    const std::vector<std::pair<std::string, std::string>>& extra) {
  std::vector<std::string> out;
  for (auto** e = environ; *e != nullptr; ++e)
    out.emplace_back(*e);
  for (auto& [name, value] : extra)
    out.push_back(name + "=" + value);
  return out;
}

} // namespace

double cpu_seconds(pid_t root) {
  auto all = all_processes();
  double ticks = 0;
  for (auto pid : tree_of(root, all))
    if (auto found = all.find(pid); found != all.end())
      ticks += found->second.cpu_ticks + (pid == root ? found->second.reaped_ticks : 0);
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds(pid_t pid) {
  process_stat one;
  read_stat("/proc/" + std::to_string(pid), one);
  return one.cpu_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double pss_bytes(pid_t root) {
  double kib = 0;
  for (auto pid : tree_of(root, all_processes())) {
    std::ifstream in{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("Pss:"))
        kib += std::stod(line.substr(4));
  }
  return kib * 1024;
}

std::string output_of(const std::vector<std::string>& argv,
                      const std::vector<std::pair<std::string, std::string>>& extra) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error(std::string{"no pipe: "} + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  words args{argv};
  words variables{environment(extra)};
  pid_t pid = -1;
  int failed =
      ::posix_spawnp(&pid, argv[0].c_str(), &actions, nullptr, args.get(), variables.get());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  if (failed == 0) {
    std::array<char, 4096> piece;
    for (ssize_t n; (n = ::read(ends[0], piece.data(), piece.size())) > 0;)
      text.append(piece.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  if (failed != 0)
    throw std::runtime_error("cannot run " + argv[0] + ": " + std::strerror(failed));
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error(argv[0] + " failed:\n" + text);
  return text;
}

pid_t start(const std::vector<std::string>& argv, const std::string& log) {
  words args{argv};
  pid_t pid = -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!log.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  }
  int failed = ::posix_spawnp(&pid, argv[0].c_str(), &actions, nullptr, args.get(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0)
    throw std::runtime_error("cannot run " + argv[0] + ": " + std::strerror(failed));
  remember_child(pid);
  return pid;
}

int end(pid_t child, int signal) {
  ::kill(child, signal);
  int status = 0;
  ::waitpid(child, &status, 0);
  forget_child(child);
  return code_of(status);
}

std::optional<int> ended(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, WNOHANG) != child)
    return std::nullopt;
  forget_child(child);
  return code_of(status);
}

void remember_child(pid_t child) {
  std::signal(SIGINT, end_all);
  std::signal(SIGTERM, end_all);
  for (auto& slot : children) {
    pid_t empty = 0;
    if (slot.compare_exchange_strong(empty, child))
      return;
  }
}

void forget_child(pid_t child) {
  for (auto& slot : children) {
    auto expected = child;
    slot.compare_exchange_strong(expected, 0);
  }
}

std::string find_program(const std::string& name, const std::string& package,
                         const std::string& folder) {
  std::vector<std::string> folders;
  if (!folder.empty())
    folders.push_back(folder);
  std::istringstream path{std::getenv("PATH") == nullptr ? "" : std::getenv("PATH")};
  for (std::string one; std::getline(path, one, ':');)
    folders.push_back(one);
  folders.insert(folders.end(), {"/usr/sbin", "/usr/local/sbin", "/usr/bin"});
  for (auto& one : folders)
    if (::access((one + "/" + name).c_str(), X_OK) == 0)
      return one + "/" + name;
  throw std::runtime_error("there is no " + name +
                           ": ./dev packages installs it, or by hand"
                           " apt-get install " +
                           package);
}

int free_port() {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  bool good = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
              ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (fd >= 0)
    ::close(fd);
  if (!good)
    throw std::runtime_error(std::string{"no free port: "} + std::strerror(errno));
  return ntohs(address.sin_port);
}

std::string make_folder(const std::string& name) {
  auto pattern = (fs::temp_directory_path() / ("rahat-" + name + "-XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a folder like " + pattern);
  fs::permissions(pattern, fs::perms{0755});
  return pattern;
}

} // namespace rahat::bench
