#pragma once

#include "config/config.hpp"
#include "persistence/embedded/data_folder.hpp"
#include "persistence/embedded/embedded_postgres.hpp"
#include "persistence/embedded/spare_log.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rahat {

/// The node's Postgres: the embedded one, watched and restarted, or the server of `database.url`.
/// Known to keep what it acknowledges, unless `database.fsync_check` says not to look, and migrated
/// before the constructor returns. Owned by the node; throws with sentences for operators.
class node_database {
public:
  node_database(const config& settings, data_folder& folder);
  ~node_database();

  node_database(const node_database&) = delete;
  node_database& operator=(const node_database&) = delete;

  const std::string& service_conninfo() const { return service_; }
  bool embedded() const { return server_ != nullptr; }

  /// The embedded server's watcher, for its owner; none for the server of `database.url`.
  std::vector<part> parts();

  /// Orderly end: stops what it started.
  void stop();

private:
  void watch();
  void end_watch();

  std::unique_ptr<embedded_postgres> server_;
  std::optional<spare_log> spare_; // the watcher's, until it is full
  std::string service_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  unsigned server_restarts_ = 0;
  std::string server_trouble_; // why it is down
  worker_thread watcher_;      // last: it uses the rest
};

} // namespace rahat
