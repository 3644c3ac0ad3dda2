#pragma once

#include "apps/rahatd/clustering.hpp"
#include "gateways/ops/cluster.hpp"

#include <memory>
#include <mutex>

namespace rahat {

/// What operators see of the cluster and ask of it, from this node. A node that is alone has a desk
/// as well: its feature level is raised the same way. Thread-safe.
class cluster_desk final : public ops::cluster_port {
public:
  struct dependencies {
    clustering* cluster = nullptr; // null: the node is alone
    std::string service_conninfo;
    node_identity me;
    generation now;
    enrolment who;
    lease_terms terms;
    const clock& time;
  };

  explicit cluster_desk(dependencies d);
  ~cluster_desk() override;

  void look(std::function<void(ops::cluster_facts)> done) override;
  void wish(const uuid& node, bool drain, callback<swap> done) override;
  void raise_level(std::int32_t to, callback<std::string> done) override;

private:
  membership_store& tables();
  cluster_reading last_known() const;
  void add_own(ops::cluster_facts& f) const;

  const dependencies d_;
  std::once_flag opened_;
  std::unique_ptr<pg_membership> own_tables_; // of a node that is alone; opened when first asked
};

} // namespace rahat
