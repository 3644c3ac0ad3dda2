#pragma once

#include "bench/api.hpp"
#include "bench/bench.hpp"
#include "persistence/embedded/embedded_postgres.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/trust/node_certificate.hpp"

#include <sys/types.h>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace rahat::bench {

/// Nodes of one cluster on this machine, with mutual TLS between them, over a private Postgres that
/// none of them owns: tuned and as durable as the one a node makes for itself. Everything in a
/// fresh folder, stopped and removed at the end. Not thread-safe.
///
/// As an `api` it asks one node, at first node 0, and is patient: work moves meanwhile.
class bench_cluster final : public api {
public:
  /// Starts them all and waits until they share the shards.
  bench_cluster(const settings& how, std::size_t nodes);
  ~bench_cluster() override;

  bench_cluster(const bench_cluster&) = delete;
  bench_cluster& operator=(const bench_cluster&) = delete;

  std::size_t size() const { return nodes_.size(); }

  /// A new process, without waiting for it. Its addresses stay the same.
  void start(std::size_t i);
  /// kill -9.
  void kill(std::size_t i);
  /// SIGTERM; gives its shards away first. Throws when it does not end with 0.
  void stop(std::size_t i);

  /// Until every node that was started is ready and owns its share of the shards, and none of them
  /// is another's; tends them meanwhile. Throws std::runtime_error when it takes too long.
  void settle();

  /// Starts again whoever has ended with 4; throws std::runtime_error when one ended otherwise.
  void tend();

  /// An operator's wish that a node gives its shards away and stays, or takes them back; asked
  /// through node 0.
  void drain(std::size_t i, bool away);

  /// By the rows.
  std::set<shard_id> shards_of(std::size_t i) const;

  /// From now on the api asks this node.
  void through(std::size_t i);

  std::string url_of(std::size_t i) const;
  /// CPU seconds of all nodes that run, and of the server.
  struct cpu {
    double nodes = 0;
    double server = 0;
    double all() const { return nodes + server; }
  };
  cpu cpu_spent() const;
  /// How many nodes have ended by themselves with 4.
  unsigned self_stops() const { return self_stops_; }
  const std::string& folder() const { return folder_; }

  std::string conninfo() const override { return server_->admin_conninfo("rahat"); }

private:
  struct member {
    uuid id;
    std::string data;
    int public_port, internal_port, cluster_port;
    pid_t pid = 0; // 0: down
  };

  void make_member(std::size_t i, const key_pair& authority);
  void begin();
  void end_all();
  bool settled() const;
  std::string standing() const;
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string internal_url(std::size_t i) const;

  std::string program_;
  std::string folder_;
  std::unique_ptr<data_folder> database_;
  std::unique_ptr<embedded_postgres> server_;
  std::vector<member> nodes_;
  unsigned self_stops_ = 0;
};

} // namespace rahat::bench
