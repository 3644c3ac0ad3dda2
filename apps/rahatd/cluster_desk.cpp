#include "apps/rahatd/cluster_desk.hpp"

#include "runtime/cluster/assignment.hpp"

namespace rahat {

namespace {

constexpr cluster::shard_phase phases[] = {
    cluster::shard_phase::away,      cluster::shard_phase::ending,   cluster::shard_phase::taking,
    cluster::shard_phase::opening,   cluster::shard_phase::open,     cluster::shard_phase::draining,
    cluster::shard_phase::giving_up, cluster::shard_phase::releasing};

std::size_t misplaced(const cluster_reading& seen) {
  const auto members = seen.now.active();
  if (members.empty())
    return 0; // nowhere to go
  const auto wanted = cluster::assign_shards(members);
  std::size_t count = 0;
  for (shard_id shard = 0; shard < shard_count; ++shard)
    count += wanted.owner_of[shard] == seen.shards[shard].owner.node ? 0 : 1;
  return count;
}

std::vector<ops::cluster_link> links_of(const cluster::mesh& links) {
  std::vector<ops::cluster_link> out;
  for (const auto& p : links.peers())
    out.push_back({p.who.node, std::string{cluster::to_string(p.state)}, p.since_us, p.reachable,
                   p.rtt_us, p.bytes_in, p.bytes_out, p.unconfirmed, p.waiting, p.last_trouble});
  return out;
}

} // namespace

cluster_desk::cluster_desk(dependencies d) : d_(std::move(d)) {}

cluster_desk::~cluster_desk() = default;

membership_store& cluster_desk::tables() {
  if (d_.cluster != nullptr)
    return d_.cluster->tables();
  std::call_once(opened_, [this] {
    const std::chrono::microseconds expiry{cluster::membership_terms{}.vote_expiry_us};
    own_tables_ = std::make_unique<pg_membership>(d_.service_conninfo, d_.me, d_.now, d_.terms,
                                                  expiry, &d_.time);
  });
  return *own_tables_;
}

/// While the database does not answer: the last reading, or at the least this node itself.
cluster_reading cluster_desk::last_known() const {
  cluster_reading out;
  if (d_.cluster != nullptr) {
    if (const auto now = d_.cluster->membership().now())
      out.now = *now;
    out.votes = d_.cluster->membership().votes();
    const auto owners = d_.cluster->owners();
    for (shard_id shard = 0; shard < shard_count; ++shard) {
      const auto& owner = owners->owners[shard];
      const auto* m = out.now.find(owner.node);
      if (!owner.free())
        out.shards[shard] = {{owner.node, m == nullptr ? 0 : m->incarnation}, owner.epoch, true};
    }
  }
  if (out.now.find(d_.me.node) == nullptr) {
    cluster::member mine;
    mine.node_uuid = d_.me.node;
    mine.incarnation = d_.me.incarnation;
    mine.status =
        d_.cluster == nullptr ? cluster::member_status::active : cluster::member_status::joining;
    mine.address = d_.who.address;
    mine.port = d_.who.port;
    mine.build_level = d_.who.build_level;
    mine.name = d_.who.name;
    mine.operators = d_.who.operators;
    mine.build = d_.who.build;
    out.now.members.push_back(std::move(mine));
  }
  return out;
}

void cluster_desk::add_own(ops::cluster_facts& f) const {
  f.misplaced = misplaced(f.seen);
  if (d_.cluster == nullptr) {
    std::size_t open = 0; // all that are its own
    for (const auto& place : f.seen.shards)
      open += place.owner == f.self && place.this_generation ? 1 : 0;
    f.phases.push_back({"open", open});
    return;
  }
  f.links = links_of(d_.cluster->links());
  for (auto phase : phases)
    f.phases.push_back({std::string{cluster::to_string(phase)}, d_.cluster->moves().count(phase)});
}

void cluster_desk::look(std::function<void(ops::cluster_facts)> done) {
  tables().read([this, done = std::move(done)](std::variant<cluster_reading, error> answer) {
    ops::cluster_facts f;
    f.self = {d_.me.node, d_.me.incarnation};
    f.clustered = d_.cluster != nullptr;
    f.lease_ttl_us = std::chrono::microseconds{d_.terms.ttl}.count();
    f.database_answers = std::holds_alternative<cluster_reading>(answer);
    f.seen = f.database_answers ? std::move(std::get<cluster_reading>(answer)) : last_known();
    add_own(f);
    done(std::move(f));
  });
}

void cluster_desk::wish(const uuid& node, bool drain, callback<swap> done) {
  tables().wish(node, drain, std::move(done));
}

void cluster_desk::raise_level(std::int32_t to, callback<std::string> done) {
  tables().raise_level(to, std::move(done));
}

} // namespace rahat
