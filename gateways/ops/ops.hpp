#pragma once

#include "gateways/http/handler.hpp"
#include "gateways/ops/cluster.hpp"
#include "gateways/ops/tokens.hpp"
#include "runtime/ports/audit.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// The internal listener's resources: health, readiness, metrics and what operators ask.
namespace rahat::ops {

struct check {
  std::string name; // "postgres", "lease", "writers", "shards", ...
  bool ok = false;
  std::string detail;
};

struct actor_row {
  std::string path;
  std::string kind;
  std::string state;
  std::uint32_t restarts = 0;
  std::string last_error;
  std::int64_t since_us = 0;
  std::string health;
};

struct entity_row {
  std::string entity;
  std::uint32_t in_flight = 0;
  std::uint32_t failures = 0;
  bool parked = false;
};

struct doctor_row {
  std::string name;
  bool refuses = false; // true: the node does not become ready while this stands
  std::string sentence;
};

/// What the resources are made of; supplied by the composition root. What is marked (blocking) is
/// run on a worker, all others must return at once.
struct context {
  std::string version;
  std::function<std::vector<check>()> readiness;
  std::function<std::string()> metrics;
  std::function<std::vector<actor_row>()> actors;
  std::function<std::vector<entity_row>(std::size_t limit)> entities;
  token_desk tokens;                               // blocking
  std::function<std::vector<doctor_row>()> doctor; // blocking
  store* db = nullptr;
  auditor* audit = nullptr;                       // blocking, for minutes
  cluster_port* members = nullptr;                // null: no routes of the cluster
  std::function<void(const entity_ref&)> release; // puts a parked entity back to work, anywhere
  queue in_background;                            // for tokens and the doctor: seconds at most
  queue in_audits; // of its own, so that nothing else waits for an audit
};

http::route_table make_routes(context c);

} // namespace rahat::ops
