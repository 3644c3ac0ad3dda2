#pragma once

#include "apps/rahatd/measures.hpp"
#include "config/config.hpp"
#include "gateways/live/live_hub.hpp"
#include "gateways/ops/background.hpp"
#include "gateways/ops/ops.hpp"
#include "persistence/tokens/token_book.hpp"
#include "runtime/entity/region.hpp"
#include "runtime/ports/audit.hpp"
#include "runtime/ports/delays.hpp"
#include "runtime/ports/part.hpp"
#include "runtime/ports/queries.hpp"
#include "runtime/trust/sealer.hpp"
#include "supervision/tree.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace rahat {

/// What the gateways are made of; everything outlives them.
struct edge_parts {
  const config& settings;
  const clock& time;
  rahat::entities& entities;
  rahat::queries& queries;
  store& db;
  const sealer& trust;
  token_book& tokens;
  live::live_hub& hub;
  delays& later;
  ops::background& background; // for work of seconds
  ops::background& audits;     // for work of minutes
  auditor& audit;
  measures& counted;
  supervision_tree& tree;
  region& hosts;
  std::function<void(const entity_ref&)> release; // puts a parked entity back to work, anywhere
  ops::cluster_port& members;
  std::string service_conninfo;
  std::function<bool()> may_serve;
  std::function<std::vector<ops::check>()> readiness;
};

/// The listeners: public HTTP with its WebSocket, and the internal one.
class edge {
public:
  explicit edge(edge_parts use);
  ~edge();

  /// Binds and listens; throws when an address cannot be bound.
  void open();

  /// The listeners, for their owners.
  std::vector<part> parts();

  void drain(std::chrono::milliseconds limit);

  std::uint16_t public_port() const;
  std::uint16_t internal_port() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat
