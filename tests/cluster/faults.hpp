#pragma once

#include "tests/support/cluster/cluster_process.hpp"

#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <string_view>

namespace rahat::test {

/// What is done to a cluster.
enum class fault {
  kill_node,        // SIGKILL, then a new start
  freeze_node,      // SIGSTOP for longer than the lease, then SIGCONT
  freeze_in_commit, // the same, while a commit of it is held inside Postgres
  restart_postgres, // at once, as after a crash
  stop_postgres,    // for 5 s
};
inline constexpr fault all_faults[] = {fault::kill_node, fault::freeze_node,
                                       fault::freeze_in_commit, fault::restart_postgres,
                                       fault::stop_postgres};
const char* name_of(fault what);

/// Holds commits of one node open inside Postgres: a trigger that fires at the very end of a commit
/// waits for a lock that the test has. It also slows each commit of a disbursement, so that faults
/// meet it half done. One thread.
class commit_gate {
public:
  /// Puts the trigger in place.
  explicit commit_gate(std::string owner_conninfo);

  /// From now on commits of this node stand before the gate.
  void close(const std::string& node_uuid);
  /// The sessions that stand before it.
  std::size_t waiting();
  /// Later commits pass; who waits goes on waiting until `open`.
  void let_others_pass();
  void open();

private:
  const std::string conninfo_;
  std::unique_ptr<pqxx::connection> holder_;
};

} // namespace rahat::test
