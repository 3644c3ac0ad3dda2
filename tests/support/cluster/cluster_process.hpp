#pragma once

#include "persistence/embedded/embedded_postgres.hpp"
#include "runtime/trust/node_certificate.hpp"
#include "tests/support/node_process.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace rahat::test {

/// A network namespace, by a descriptor that stays open, and the node's address in it.
struct node_place {
  int space = -1;
  std::string address;
};

struct cluster_plan {
  std::size_t nodes = 3;
  std::string program = {};            // empty: rahatd
  std::vector<std::string> flags = {}; // of every node, after those of the cluster
  std::vector<node_place> places = {}; // one a node; empty: all on this host's loopback
  std::string database_address = {};   // an IPv4 address of the server; empty: its socket only
};

/// What all incarnations that were seen add up to.
struct cluster_losses {
  double fenced_writes = 0;      // rahat_fenced_writes_total
  double fenced_shards = 0;      // rahat_shards_fenced_total
  std::size_t fences_logged = 0; // lines `shards_fenced`: also of nodes that died before a look
  std::size_t self_stops = 0;    // ended by themselves with exit code 4
  std::size_t failed_starts = 0; // ended before they were ready
};

/// Several real nodes that share a private Postgres, a master key and an authority: mutual TLS
/// between them, every port chosen by the system. Killed with the server, and all folders removed,
/// when the object goes or the test process ends in whatever way.
///
/// All of it on the one thread that made it (nodes die with the thread that started them), but for
/// `port_of` and `count`: any thread.
class cluster_process {
public:
  /// Starts the server; no node yet.
  explicit cluster_process(cluster_plan plan = {});
  ~cluster_process();
  cluster_process(const cluster_process&) = delete;
  cluster_process& operator=(const cluster_process&) = delete;

  std::size_t count() const { return nodes_.size(); }
  node_process& node(std::size_t i) { return *nodes_[i]; }
  const node_process& node(std::size_t i) const { return *nodes_[i]; }
  std::string uuid_of(std::size_t i) const { return ids_[i]; }

  /// Public port of a node as of its last start; 0 before the first.
  std::uint16_t port_of(std::size_t i) const { return nodes_[i]->port(); }

  /// Starts a node and waits until its listeners are open. Throws when it does not come up.
  void start(std::size_t i);

  /// Starts all and waits until they share the shards.
  void start_all();

  /// What an operator's supervisor does: starts again whatever has ended, and counts those that
  /// ended with 4. Nodes that were put `down` on purpose stay so. Throws std::runtime_error when
  /// one ended in a way that nobody asked for.
  void tend();

  /// SIGKILL; the node stays down until `start`.
  void kill(std::size_t i);
  /// SIGTERM and its exit code; the node stays down until `start`.
  int stop(std::size_t i);

  /// Every node that is not down answers /readiness with 200, and each of them owns its share of
  /// the shards: no more than the assignment allows, and together all of them.
  bool settled() const;
  void wait_settled(std::chrono::seconds limit = std::chrono::seconds{60});
  /// Who owns how much and who says what, for a message.
  std::string standing() const;

  bool ready(std::size_t i) const; // any thread

  /// Looks at every node's counters; those of a dead incarnation stay as they were last seen.
  void look_at_metrics();
  cluster_losses losses() const;

  /// SIGQUIT for the server, as `pg_ctl restart -m immediate`; back when it answers again.
  void restart_postgres_at_once();
  void stop_postgres();
  void start_postgres();

  std::string owner_conninfo() const { return server_->owner_conninfo(); }
  std::string admin_conninfo() const { return server_->admin_conninfo("rahat"); }
  const scratch_folder& scratch() const { return scratch_; }

private:
  struct life; // of one node

  void open_address();
  void write_secret(const std::string& name, const std::string& text) const;
  std::vector<std::string> flags_of(std::size_t i) const;
  void write_identity(std::size_t i, const key_pair& authority);
  void note_end(std::size_t i, int code);

  cluster_plan plan_;
  scratch_folder scratch_;
  std::unique_ptr<data_folder> folder_;
  std::unique_ptr<embedded_postgres> server_;
  std::vector<std::string> ids_;
  std::vector<std::unique_ptr<node_process>> nodes_;
  std::vector<std::unique_ptr<life>> lives_;
};

} // namespace rahat::test
