#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rahat::test {

/// The database as it lies there, read past the node: what its own audit says is checked against
/// this, never the other way round. Each call opens a connection as the owner of the tables.
class ledger {
public:
  explicit ledger(std::string conninfo) : conninfo_(std::move(conninfo)) {}

  std::int64_t number(const std::string& sql) const;
  std::string text(const std::string& sql) const;
  void run(const std::string& sql) const;

  /// Commits of one entity, 0 when it has none.
  std::int64_t seq_of(const std::string& entity) const;

  /// Every shard's rows lie without gaps up to its head, and every hash follows from the one before
  /// by persistence/chain. One sentence a fault.
  std::vector<std::string> broken_links() const;

  /// Owners whose own total is not the sum of the transfers of their accounts; at rest, when no
  /// notice is under way, there are none. One sentence a fault.
  std::vector<std::string> wrong_books() const;

  /// Lines of a pay list without exactly the one transfer that they promise, and transfers without
  /// a line. One sentence a fault.
  std::vector<std::string> wrong_lines(const std::string& list) const;

  /// Commits of all entities.
  std::int64_t journal_rows() const { return number("SELECT count(*) FROM journal"); }

  const std::string& conninfo() const { return conninfo_; }

private:
  std::string conninfo_;
};

} // namespace rahat::test
