#pragma once

#include "apps/rahatctl/demo_node.hpp"
#include "bench/api.hpp"
#include "bench/bench.hpp"

#include <sys/types.h>
#include <memory>
#include <string>
#include <vector>

namespace rahat::bench {

/// A node with its private Postgres in a fresh folder, as it comes: default settings, real
/// durability. Removed at the end. Not thread-safe.
class bench_node final : public api {
public:
  explicit bench_node(const settings& how);
  ~bench_node() override;

  bench_node(const bench_node&) = delete;
  bench_node& operator=(const bench_node&) = delete;

  /// kill -9 of the node alone; its Postgres lives on.
  void kill_hard();
  /// A new process over the same folder, and how long it took until it said that it is ready.
  double start_again();

  pid_t pid() const { return node_->pid(); }
  pid_t postgres_pid() const;
  const std::string& folder() const { return data_; }

  std::string conninfo() const override;
  /// The same in PG... variables, for Postgres' own programs.
  std::vector<std::pair<std::string, std::string>> postgres_environment() const;
  /// Where Postgres' own programs are: beside the server's.
  std::string postgres_bindir() const;

private:
  void launch();

  std::string program_;
  std::string data_;
  std::unique_ptr<ctl::demo_node> node_;
};

} // namespace rahat::bench
