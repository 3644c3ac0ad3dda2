#pragma once

#include "config/config.hpp"
#include "persistence/audit/pg_auditor.hpp"
#include "persistence/audit/prometheus_audit.hpp"
#include "persistence/lease/node_identity.hpp"
#include "runtime/ports/clock.hpp"

#include <functional>
#include <string>

namespace rahat {

/// The node's auditor with what it counts, set up from the configuration. `may_follow` says whether
/// it is this node's turn to follow the books; empty: always.
class node_auditor {
public:
  node_auditor(const config& settings, const std::string& service_conninfo, const node_identity& me,
               const clock& time, std::function<bool()> may_follow);

  pg_auditor& audit() { return audit_; }
  prometheus_audit& counted() { return counted_; }

private:
  prometheus_audit counted_;
  pg_auditor audit_; // after what it counts with
};

} // namespace rahat
