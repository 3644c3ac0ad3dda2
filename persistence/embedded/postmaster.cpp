#include "persistence/embedded/postmaster.hpp"

#include "persistence/embedded/cluster_settings.hpp"
#include "persistence/embedded/data_folder.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

namespace rahat {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> command_line(pid_t pid) {
  const auto text = read_small_file("/proc/" + std::to_string(pid) + "/cmdline");
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

} // namespace

std::optional<postmaster_file> read_postmaster_file(const fs::path& cluster) {
  std::ifstream in{cluster / "postmaster.pid"};
  postmaster_file file;
  std::string pid, folder, started, port, sockets, listen, memory;
  if (!std::getline(in, pid) || !std::getline(in, folder))
    return std::nullopt;
  std::getline(in, started);
  std::getline(in, port);
  std::getline(in, sockets);
  std::getline(in, listen);
  std::getline(in, memory);
  std::getline(in, file.status);
  std::from_chars(pid.data(), pid.data() + pid.size(), file.pid);
  std::from_chars(port.data(), port.data() + port.size(), file.port);
  file.cluster = folder;
  file.socket_folder = sockets;
  file.status.erase(file.status.find_last_not_of(" \n") + 1);
  if (file.pid <= 0)
    return std::nullopt;
  return file;
}

bool is_postmaster_of(pid_t pid, const fs::path& cluster) {
  const auto words = command_line(pid);
  if (words.empty())
    return false;
  const auto program = fs::path{words.front()}.filename();
  return (program == "postgres" || program == "postmaster") && has(words, cluster.string());
}

bool was_started_by_rahat(pid_t pid) {
  return has(command_line(pid), cluster_mark);
}

std::vector<pid_t> processes_in(const fs::path& cluster) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{"/proc", error}) {
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{})
      continue;
    std::error_code hidden;
    if (fs::read_symlink(entry.path() / "cwd", hidden) == cluster && !hidden)
      found.push_back(pid);
  }
  return found;
}

std::optional<std::uint64_t> system_identifier_of(const fs::path& cluster) {
  std::ifstream in{cluster / "global" / "pg_control", std::ios::binary};
  std::uint64_t number = 0; // the file's first field, in this machine's byte order
  if (!in.read(reinterpret_cast<char*>(&number), sizeof number))
    return std::nullopt;
  return number;
}

process_watch::process_watch(pid_t pid)
    : pid_(pid), fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}

process_watch::~process_watch() {
  if (fd_ >= 0)
    close(fd_);
}

process_watch::process_watch(process_watch&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), fd_(std::exchange(other.fd_, -1)) {}

process_watch& process_watch::operator=(process_watch&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(fd_, other.fd_);
  return *this;
}

bool process_watch::wait_end(int limit_ms) {
  if (fd_ < 0)
    return true;
  pollfd waiting{fd_, POLLIN, 0};
  if (poll(&waiting, 1, limit_ms) <= 0)
    return false;
  waitpid(pid_, nullptr, WNOHANG); // does nothing where it is not our child
  close(std::exchange(fd_, -1));
  return true;
}

bool process_watch::alive() {
  return !wait_end(0);
}

void process_watch::signal(int number) {
  if (fd_ >= 0)
    syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0);
}

} // namespace rahat
