#pragma once

#include "persistence/postgres/batch_encoder.hpp"
#include "persistence/postgres/options.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pqxx {
class connection_base;
class binarystring;
} // namespace pqxx

namespace rahat::pg {

/// A writer's connection. Every call is one statement in autocommit, so that a client that freezes
/// holds nothing. Throws pqxx's errors and those of `open_session`; after any of them ask `open`.
/// Belongs to one writer thread.
class commit_link {
public:
  commit_link(const store_options& how, unsigned writer);
  ~commit_link();

  commit_link(const commit_link&) = delete;
  commit_link& operator=(const commit_link&) = delete;

  bool open() const;

  void close() { connection_.reset(); }

  /// Makes a new connection, then ends this writer's former sessions and waits until they are
  /// gone: what they had been sent has happened or never will.
  void connect();

  /// Sends the batch. Returns once it is durable.
  void send(std::int64_t batch_id, batch_encoder& batch);

  /// Asks the server for nothing; false, and closed, when it does not answer. Never throws.
  bool answers();

  /// After `connect`: whether the batch that moved the head like this has landed. Its id in the
  /// shard row says so, or, when somebody else has moved the head since, its hash in the journal.
  bool has_landed(std::int64_t batch_id, const head_move& head);

private:
  void end_former_sessions();

  const store_options& how_;
  std::string part_; // "writer-0"
  std::shared_ptr<pqxx::connection_base> connection_;
  std::vector<pqxx::binarystring> parameters_;
};

} // namespace rahat::pg
