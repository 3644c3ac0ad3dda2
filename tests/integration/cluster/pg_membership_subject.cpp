#include "persistence/embedded/conninfo.hpp"
#include "tests/integration/cluster/pg_cluster.hpp"

/// The suites of tests/conformance for Postgres.
namespace rahat::conformance {

namespace {

std::string where(const cluster::member_id& id) {
  return " WHERE node_uuid = '" + id.node.str() +
         "' AND incarnation = " + std::to_string(id.incarnation);
}

std::string ms(std::chrono::milliseconds t) {
  return "interval '" + std::to_string(t.count()) + " ms'";
}

auto subjects() {
  return testing::Values(
      cluster_subject{"postgres", [] { return std::make_unique<pg_cluster>(); }});
}

std::string name_of(const testing::TestParamInfo<cluster_subject>& info) {
  return info.param.name;
}

} // namespace

pg_cluster::pg_cluster()
    : database_(test::pg_fixture::get().fresh_database()),
      admin_(database_.admin),
      now_(read_generation(admin_)) {}

std::variant<cluster::member_id, std::string> pg_cluster::enrol(const enrolment& who,
                                                                std::chrono::milliseconds ttl) {
  try {
    const auto me = register_node(database_.service, who, lease_terms{.ttl = ttl});
    return cluster::member_id{me.node, me.incarnation};
  } catch (const lease_error& refused) {
    return std::string{refused.what()};
  }
}

std::unique_ptr<pg_membership> pg_cluster::make(const cluster::member_id& me, const clock* time) {
  return std::make_unique<pg_membership>(database_.service,
                                         node_identity{me.node, me.incarnation, "a case"}, now_,
                                         lease_terms{.ttl = case_ttl}, case_vote_expiry, time);
}

rahat::membership_store& pg_cluster::store(const cluster::member_id& me) {
  auto& mine = nodes_[me];
  if (mine == nullptr)
    mine = make(me);
  return *mine;
}

bool pg_cluster::renew(const cluster::member_id& me) {
  return sql("UPDATE cluster_member SET lease_until = clock_timestamp() + " + ms(case_ttl) +
             where(me) + " AND status IN ('joining', 'up', 'leaving')")
             .affected_rows() == 1;
}

void pg_cluster::set_lease(const cluster::member_id& of, std::chrono::milliseconds from_now) {
  sql("UPDATE cluster_member SET lease_until = clock_timestamp() + " + ms(from_now) + where(of));
}

void pg_cluster::age_votes(std::chrono::milliseconds by) {
  sql("UPDATE cluster_vote SET written_at = written_at - " + ms(by));
}

std::unique_ptr<pqxx::connection> pg_cluster::session(const cluster::member_id& of,
                                                      const std::string& part) {
  const node_identity who{of.node, of.incarnation, ""};
  return std::make_unique<pqxx::connection>(
      with_field(database_.service, "application_name", who.application_name(part)));
}

void pg_cluster::open_session(const cluster::member_id& of) {
  sessions_.push_back(session(of, "writer-" + std::to_string(sessions_.size())));
}

std::size_t pg_cluster::sessions(const cluster::member_id& of) {
  const node_identity who{of.node, of.incarnation, ""};
  return sql("SELECT FROM pg_stat_activity WHERE starts_with(application_name, '" +
             who.application_name("writer-") + "')")
      .size();
}

void pg_cluster::move_head(shard_id shard, std::int64_t to) {
  sql("UPDATE shard SET head_position = " + std::to_string(to) +
      " WHERE shard = " + std::to_string(shard));
}

void pg_cluster::of_another_generation(shard_id shard) {
  sql("UPDATE shard SET generation = '\\x01' WHERE shard = " + std::to_string(shard));
}

pqxx::result pg_cluster::sql(const std::string& text) {
  pqxx::nontransaction work{admin_};
  return work.exec(text);
}

INSTANTIATE_TEST_SUITE_P(postgres, membership_store, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(postgres, shard_ownership, subjects(), name_of);

} // namespace rahat::conformance
