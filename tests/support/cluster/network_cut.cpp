#include "tests/support/cluster/network_cut.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace rahat::test {

namespace {

constexpr int same_space = -1;
constexpr std::size_t first_host = 10; // of 10.77.0.0/24: nodes count from here
constexpr std::size_t max_nodes = 30;
constexpr const char* clients_address = "10.77.0.1";
constexpr const char* server_address = "10.77.0.2";
constexpr unsigned ports_from = 20'000; // a range a node: a port then names its node
constexpr unsigned ports_each = 1'000;

/// `sh -c` with a script, in a namespace. What it said when it failed, else empty.
std::string run(const std::string& script, int space = same_space) {
  int line[2];
  if (pipe2(line, O_CLOEXEC) != 0)
    return "no pipe";
  const auto child = fork();
  if (child == 0) {
    if (space != same_space && setns(space, CLONE_NEWNET) != 0)
      _exit(126);
    dup2(line[1], STDOUT_FILENO);
    dup2(line[1], STDERR_FILENO);
    close_range(3, ~0U, 0);
    // iproute2 and nftables live in sbin, which is not everybody's.
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execl("/bin/sh", "sh", "-ec", script.c_str(), nullptr);
    _exit(127);
  }
  close(line[1]);
  std::string said;
  std::array<char, 1024> piece;
  for (ssize_t n; (n = read(line[0], piece.data(), piece.size())) > 0;)
    said.append(piece.data(), static_cast<std::size_t>(n));
  close(line[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0)
    return {};
  return said.empty() ? "exit status " + std::to_string(status) : said;
}

void must_run(const std::string& script, int space = same_space) {
  if (auto fault = run(script, space); !fault.empty())
    throw std::runtime_error(script + ": " + fault);
}

int open_own_space() {
  return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/// A thread makes the namespace, so that the caller stays where it is.
int make_space() {
  int made = -1;
  std::thread{[&made] {
    if (unshare(CLONE_NEWNET) == 0)
      made = open_own_space();
  }}.join();
  if (made < 0)
    throw std::runtime_error(std::string{"cannot make a network namespace: "} + strerror(errno));
  return made;
}

} // namespace

std::string network_cut::refusal() {
  if (auto fault = run("command -v ip nft"); !fault.empty())
    return "ip or nft is missing: ./dev packages installs iproute2 and nftables";
  if (auto fault = run("exec unshare --net true"); !fault.empty())
    return "network namespaces are not permitted here: run the test as root, in a container with "
           "CAP_SYS_ADMIN and CAP_NET_ADMIN (" +
           fault + ")";
  if (auto fault = run("exec unshare --net sh -ec 'ip link add rb type bridge;"
                       " ip link add ra type veth peer name rc; nft add table inet cut'");
      !fault.empty())
    return "the kernel lacks bridges, veth pairs or nftables, or does not permit them: load the "
           "modules bridge, veth and nf_tables, or run the test as root (" +
           fault + ")";
  return {};
}

network_cut::network_cut(std::size_t nodes) {
  if (nodes > max_nodes)
    throw std::logic_error("a network of at most 30 nodes");
  enter_own_space();
  try {
    build(nodes);
  } catch (...) {
    leave();
    throw;
  }
}

void network_cut::build(std::size_t nodes) {
  must_run("ip link set lo up; ip link add switch type bridge; ip link set switch up");
  for (const std::string address : {clients_address, server_address}) // the first is the clients'
    must_run("ip addr add " + address + "/24 dev switch");
  for (std::size_t i = 0; i < nodes; ++i)
    add_node(i);
}

void network_cut::enter_own_space() {
  former_ = open_own_space();
  if (former_ < 0 || unshare(CLONE_NEWNET) != 0)
    throw std::runtime_error(std::string{"cannot make a network namespace: "} + strerror(errno));
}

void network_cut::add_node(std::size_t node) {
  spaces_.push_back(make_space());
  const auto plug = "plug" + std::to_string(node);
  must_run("ip link add " + plug + " type veth peer name eth0 netns /proc/" +
           std::to_string(getpid()) + "/fd/" + std::to_string(spaces_.back()) + "; ip link set " +
           plug + " master switch up");
  const auto from = ports_from + ports_each * static_cast<unsigned>(node);
  must_run("ip link set lo up; ip addr add " + address_of(node) +
               "/24 dev eth0; ip link set eth0 up; echo " + std::to_string(from) + " " +
               std::to_string(from + ports_each - 1) +
               " > /proc/sys/net/ipv4/ip_local_port_range; nft add table inet cut;"
               " nft 'add chain inet cut arriving { type filter hook input priority 0; }';"
               " nft 'add chain inet cut leaving { type filter hook output priority 0; }'",
           spaces_.back());
}

network_cut::~network_cut() {
  leave();
}

void network_cut::leave() {
  setns(former_, CLONE_NEWNET);
  close(former_);
  for (int space : spaces_)
    close(space);
}

std::string network_cut::address_of(std::size_t node) const {
  return "10.77.0." + std::to_string(first_host + node);
}

std::string network_cut::database_address() const {
  return server_address;
}

void network_cut::cut_one_way(std::size_t from, std::size_t to) {
  must_run("nft add rule inet cut arriving ip saddr " + address_of(from) + " drop", spaces_[to]);
}

void network_cut::cut_between(std::size_t one, std::size_t other) {
  cut_one_way(one, other);
  cut_one_way(other, one);
}

void network_cut::cut_from_peers(std::size_t node) {
  for (std::size_t i = 0; i < spaces_.size(); ++i)
    if (i != node)
      cut_between(i, node);
}

void network_cut::cut_from_database(std::size_t node) {
  const std::string server = server_address;
  must_run("nft 'add rule inet cut arriving ip saddr " + server +
               " drop; add rule inet cut leaving ip daddr " + server + " drop'",
           spaces_[node]);
}

void network_cut::heal() {
  for (int space : spaces_)
    must_run("nft flush table inet cut", space);
}

} // namespace rahat::test
