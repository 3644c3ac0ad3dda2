#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace rahat {

class kind_registry;

/// One node of Rahat, put together: Postgres, lease, shards, store, hosts, gateways. The only place
/// that sees everything. Start and stop on one thread.
class node {
public:
  /// For tests: faults that no outside world can make.
  struct faults {
    std::function<void(unsigned writer)> before_batch; // see pg::store_options
    bool lease_trusted_for_ever = false;               // see lease_terms
    /// What a build of the release after this one reads, and its kinds.
    std::int32_t build_reads = 0;              // 0: this build
    std::function<kind_registry()> kinds = {}; // none: all_kinds
  };

  /// `on_end`: the node may never serve again (declared dead, the database was replaced, a part
  /// keeps failing); the process has to stop. Any thread.
  node(config settings, std::function<void(const std::string& why)> on_end);
  node(config settings, std::function<void(const std::string& why)> on_end, faults injected);
  ~node();

  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Brings everything up in order; throws with a sentence for the operator.
  void start();

  /// Drains the gateways, lands what was decided, lets go of lease and Postgres.
  void stop();

  /// True once a commit or message of a newer build was met: starting this build again would not
  /// help.
  bool too_old() const;

  std::uint16_t public_port() const;
  std::uint16_t internal_port() const;
  std::string admin_token_file() const;

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace rahat
