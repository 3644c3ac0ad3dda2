#pragma once

#include "apps/rahatctl/client.hpp"
#include "apps/rahatctl/demo_node.hpp"
#include "bench/bench.hpp"

#include <sys/types.h>
#include <boost/json/value.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rahat::bench {

/// A node with its private Postgres in a fresh folder, as it comes: default settings, real
/// durability. Removed at the end. Not thread-safe.
class bench_node {
public:
  explicit bench_node(const settings& how);
  ~bench_node();

  bench_node(const bench_node&) = delete;
  bench_node& operator=(const bench_node&) = delete;

  /// Throws std::runtime_error for anything but a 2xx.
  boost::json::value get(const std::string& path);
  boost::json::value post(const std::string& path, const std::string& json = "");
  boost::json::value post_as_checker(const std::string& path, const std::string& json);
  boost::json::value upload(const std::string& path, const std::string& csv);

  /// kill -9 of the node alone; its Postgres lives on.
  void kill_hard();
  /// A new process over the same folder, and how long it took until it said that it is ready.
  double start_again();

  const std::string& url() const { return node_->url(); }
  const std::string& token() const { return maker_token_; }
  pid_t pid() const { return node_->pid(); }
  pid_t postgres_pid() const;
  const std::string& folder() const { return data_; }

  /// The private server, as its superuser.
  std::string conninfo() const;
  /// The same in PG... variables, for Postgres' own programs.
  std::vector<std::pair<std::string, std::string>> postgres_environment() const;
  /// Where Postgres' own programs are: beside the server's.
  std::string postgres_bindir() const;
  /// Runs a statement on it.
  void sql(const std::string& statement) const;
  /// The first column of every row.
  std::vector<std::string> column(const std::string& query) const;

  /// Active projects, made one after the other; gives their ids.
  std::vector<std::string> make_projects(std::size_t count);

private:
  void launch();
  boost::json::value ask(ctl::client& who, const ctl::call& what);

  std::string program_;
  std::string data_;
  std::unique_ptr<ctl::demo_node> node_;
  std::unique_ptr<ctl::client> maker_;
  std::unique_ptr<ctl::client> checker_;
  std::string maker_token_;
  std::string checker_token_;
};

/// A member that must be there: text, or a whole number.
std::string text_of(const boost::json::value& view, std::string_view name);
std::int64_t count_of(const boost::json::value& view, std::string_view name);

/// Seconds on the steady clock since some moment.
double now_seconds();

/// What goes on, for whoever watches; to standard error.
void say(const std::string& line);

} // namespace rahat::bench
