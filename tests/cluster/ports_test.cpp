// What a node of a cluster lets strangers at.
#include "tests/cluster/town.hpp"
#include "tests/integration/transport/peer_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace rahat::test {
namespace {

namespace fs = std::filesystem;
using testing::StartsWith;

constexpr const char* listening = "0A"; // in the column `st` of /proc/net/tcp

/// "socket:[1234]" of each descriptor of a process that is one.
std::set<std::string> sockets_of(pid_t pid) {
  std::set<std::string> out;
  for (auto& one : fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd"}) {
    std::error_code gone; // closed since
    const auto name = fs::read_symlink(one.path(), gone).string();
    if (!gone && name.starts_with("socket:["))
      out.insert(name);
  }
  return out;
}

/// The ports that a process listens at, as the kernel knows them.
std::set<std::uint16_t> listening_ports(pid_t pid) {
  const auto own = sockets_of(pid);
  std::set<std::uint16_t> out;
  for (const char* table : {"tcp", "tcp6"}) {
    std::ifstream in{"/proc/" + std::to_string(pid) + "/net/" + table};
    std::string line;
    std::getline(in, line); // headings
    while (std::getline(in, line)) {
      std::istringstream words{line};
      std::string number, local, remote, state, queues, timer, retries, user, timeout, inode;
      words >> number >> local >> remote >> state >> queues >> timer >> retries >> user >>
          timeout >> inode;
      if (state == listening && own.contains("socket:[" + inode + "]"))
        out.insert(static_cast<std::uint16_t>(
            std::stoul(local.substr(local.rfind(':') + 1), nullptr, 16)));
    }
  }
  return out;
}

/// CAF would open one more, without TLS, for connections that nodes tell each other of.
TEST(caf, no_plaintext_port_is_open) {
  cluster_process cluster{{.nodes = 2}};
  const auto who = populate(cluster); // hence linked: who does not reach the others is no member
  const ledger tables{cluster.owner_conninfo()};
  peer_process stranger{{}};
  for (std::size_t i = 0; i < cluster.count(); ++i) {
    const auto& node = cluster.node(i);
    const auto links = static_cast<std::uint16_t>(tables.number(
        "SELECT port FROM cluster_member WHERE node_uuid = '" + cluster.uuid_of(i) + "'"));
    EXPECT_EQ(listening_ports(node.pid()), (std::set{node.port(), node.internal_port(), links}))
        << "node " << i;
    EXPECT_THAT(stranger.tell("dial-plain " + std::to_string(links)), StartsWith("error "));
  }
}

} // namespace
} // namespace rahat::test
