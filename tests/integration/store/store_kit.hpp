#pragma once

#include "persistence/postgres/pg_store.hpp"
#include "tests/integration/store/cut_line.hpp"
#include "tests/support/pg_fixture.hpp"

#include <functional>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace rahat::test {

/// A database of its own and a store on it that can be ended and made again. Everything that the
/// store does goes over a line that can be cut.
class store_kit {
public:
  using fence_listener = std::function<void(std::vector<shard_id>)>;

  explicit store_kit(pg::store_options base = {}, fence_listener listener = {});
  ~store_kit();

  pg_store& store() { return *store_; }
  pg::store_options& options() { return options_; }
  cut_line& line() { return *line_; }
  const std::string& admin_conninfo() const { return database_.admin; }

  /// Ends the store at once and makes another, under new epochs.
  void reopen();
  void close();

  /// Another owner takes the shard.
  void fence(shard_id shard);
  /// Takes one shard back, under a new epoch.
  void take_over(shard_id shard);

  /// One statement as superuser, past the line.
  pqxx::result sql(const std::string& text);

  /// Kills every session of the store's writers; how many there were.
  int kill_writers();

  /// The next n batches are refused with this SQLSTATE, in the middle of their transaction.
  void refuse_batches(const std::string& sqlstate, int n);

  /// From now on a backend ends by itself when it is given a journal row of this entity.
  void die_of(const uuid& entity);

  /// As `die_of`, by a segmentation fault, which the whole server has to recover from.
  void crash_of(const uuid& entity);

  /// A new connection for `sql`.
  void look_again();

private:
  void start();
  void ruin(const uuid& entity, const std::string& how);
  std::vector<pg::owned_shard> take_all();

  test_database database_;
  std::unique_ptr<pqxx::connection> admin_;
  std::unique_ptr<cut_line> line_;
  pg::store_options options_;
  fence_listener fenced_;
  std::unique_ptr<pg_store> store_;
};

/// A commit of nothing but itself, of an entity's next sequence number.
commit probe_commit(const entity_ref& self, std::uint64_t incarnation, std::uint64_t seq);

} // namespace rahat::test
